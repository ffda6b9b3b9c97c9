"""LoRA and IA3 on the linear layers of a list of operations, as `peft` puts them there (unmerged)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from etude.errors import ConfigError, Fault, nearest, require
from etude.flops.operations import Op, Parameter, Part, Product, Role

Targets = tuple[str, ...] | Literal["all-linear"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """Low-rank matrices beside linear layers: y = W x + B A x. Two small products more for each target and token."""

    rank: int
    targets: Targets
    """Names of modules, or the ends of names (`q_proj`); `all-linear` for every linear layer but the last ones.

    Layers that give logits (`lm_head`, `score`, `classifier`), routers and stacked experts take no adapter.
    """

    def __post_init__(self) -> None:
        require(self.rank >= 1, "adapter.rank", self.rank, "1 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ia3:
    """Learned scales on the outputs of linear layers, and on the inputs of those named feed-forward. No product."""

    targets: Targets
    feedforward: tuple[str, ...] = ()
    """Those of the targets whose input is scaled."""


Adapter = Lora | Ia3


def adapted(ops: Sequence[Op], adapter: Adapter) -> tuple[Op, ...]:
    """The same operations with the adapter on every linear layer that its targets name.

    Raises:
        ConfigError: A target matches nothing, or only what cannot be adapted (heads, routers, stacked experts).
    """
    _check(ops, adapter.targets, "adapter.targets")
    if isinstance(adapter, Ia3):
        _check(ops, adapter.feedforward, "adapter.feedforward")
    return tuple(
        made
        for op in ops
        for made in (_with(op, adapter) if op.linear is not None and _named(op.module, adapter.targets) else (op,))
    )


def _named(module: str, targets: Targets) -> bool:
    if targets == "all-linear":
        return True
    return any(module == target or module.endswith("." + target) for target in targets)


def _check(ops: Sequence[Op], targets: Targets, field: str) -> None:
    if targets == "all-linear":
        return
    linear = [op.module for op in ops if op.linear is not None]
    faults = [
        Fault(
            path=field,
            value=target,
            reason="no linear layer that takes an adapter has this name",
            mend=nearest(target, {name.rsplit(".", 1)[-1] for name in linear}),
        )
        for target in targets
        if not any(_named(name, (target,)) for name in linear)
    ]
    if faults:
        raise ConfigError(faults)


def _with(op: Op, adapter: Adapter) -> Iterator[Op]:
    return _lora(op, adapter) if isinstance(adapter, Lora) else _ia3(op, adapter)


def _lora(op: Op, adapter: Lora) -> Iterator[Op]:
    assert op.linear is not None
    assert op.product is not None
    d_in, d_out = op.linear
    source = op.product.left
    yield replace(op, writes="base")
    for letter, wire, target, shape in (
        ("A", source, "low", (adapter.rank, d_in)),
        ("B", "low", "delta", (d_out, adapter.rank)),
    ):
        weight = Parameter(f"{op.module}.lora_{letter}.weight", shape, Role.ADAPTER)
        yield Op(
            (wire,),
            target,
            (weight,),
            Product(wire, weight.name, 2 * weight.size, op.product.per, Part.ADAPTER),
            moved=sum(shape),
            moved_per=op.moved_per,
        )
    yield Op(("base", "delta"), op.writes)


def _ia3(op: Op, adapter: Ia3) -> Iterator[Op]:
    assert op.linear is not None
    assert op.product is not None
    d_in, d_out = op.linear
    if _named(op.module, adapter.feedforward):
        scale = Parameter(f"{op.module}.ia3_l", (1, d_in), Role.ADAPTER)
        yield Op(op.reads, "scaled", (scale,))
        yield replace(op, reads=("scaled",), product=replace(op.product, left="scaled"))
    else:
        yield op
        scale = Parameter(f"{op.module}.ia3_l", (d_out, 1), Role.ADAPTER)
        yield Op((op.writes,), op.writes, (scale,))
