"""Which layers of a decoder attend within a sliding window: the rules by which configs say so."""

from __future__ import annotations

from collections.abc import Callable

from etude.flops.architecture.fields import Fields

Windows = tuple[int | None, ...]
"""For each layer the number of keys that a query sees, itself included; None for all."""
WindowRule = Callable[[Fields, int], Windows]


def no_windows(fields: Fields, layers: int) -> Windows:
    """Every layer sees everything."""
    return (None,) * layers


def every_layer(default: int | None, flag: str = "") -> WindowRule:
    """All layers have the config's window; `flag` names a switch that has to be on."""

    def windows(fields: Fields, layers: int) -> Windows:
        on = not flag or fields.flag(flag)
        return (fields.nullable("sliding_window", default) if on else None,) * layers

    return windows


def by_layer(default: int | None, slides: Callable[[Fields, int], bool], flag: str = "") -> WindowRule:
    """Layers that `layer_types` calls sliding, or those the rule names where the config has no such list."""

    def windows(fields: Fields, layers: int) -> Windows:
        window = fields.nullable("sliding_window", default) if not flag or fields.flag(flag) else None
        types = fields.layer_types(layers)
        sliding = (
            [kind == "sliding_attention" for kind in types]
            if types is not None
            else [slides(fields, index) for index in range(layers)]
        )
        return tuple(window if slide else None for slide in sliding)

    return windows


def all_but_every(period: int) -> Callable[[Fields, int], bool]:
    """Every `sliding_window_pattern`-th layer is global, the others slide."""
    return lambda fields, index: (index + 1) % fields.number("sliding_window_pattern", default=period) != 0


def from_layer(fields: Fields, index: int) -> bool:
    """Layers from `max_window_layers` on slide."""
    return index >= fields.number("max_window_layers", default=28)


def odd_up_to(fields: Fields, index: int) -> bool:
    """Every other layer slides, up to `max_window_layers`."""
    return index % 2 == 0 and index < fields.number("max_window_layers", default=28)


def always(fields: Fields, index: int) -> bool:
    """All layers slide."""
    return True
