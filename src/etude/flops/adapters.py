"""LoRA and IA3 on the linear layers of a list of operations, as `peft` puts them there (unmerged)."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from etude.errors import ConfigError, Fault, nearest, require
from etude.flops.operations import Op, Parameter, Part, Per, Product, Role

Targets = tuple[str, ...] | Literal["all-linear"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """Low-rank matrices beside linear layers: y = W x + B A x. Two small products more for each target and token."""

    rank: int
    targets: Targets
    """Names of modules, or the ends of names (`q_proj`); `all-linear` for every linear layer but the last ones.

    Layers that give logits (`lm_head`, `score`, `classifier`) take no adapter. Routers and stacked experts take one
    under `all-linear` alone, and there as `peft` has it: for the architectures in STACKED, whose shared experts and
    plain feed-forward layers then take none.
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

_ROUTER = "gate"
_OF_QWEN = frozenset((_ROUTER, "gate_proj", "up_proj", "down_proj"))
STACKED: Mapping[str, frozenset[str]] = {
    "mixtral": frozenset((_ROUTER, "w1", "w2", "w3")),
    **dict.fromkeys(("qwen3_moe", "qwen3_next", "olmoe", "deepseek_v2", "deepseek_v3"), _OF_QWEN),
}
"""Model type → names of the modules that its routers and stacked experts stand for, to `peft` 0.21 (transformers 5):
`all-linear` puts adapters on the stacks, of twice the rank on one that joins two modules, and on no module so named.
"""


def with_adapter(ops: Sequence[Op], adapter: Adapter, model_type: str = "") -> tuple[Op, ...]:
    """The same operations with the adapter on every linear layer that its targets name.

    Args:
        ops: The operations.
        adapter: What is put on them.
        model_type: The architecture, which says what `all-linear` is.

    Raises:
        ConfigError: A target matches nothing, or only what cannot be adapted (heads, routers, stacked experts).
    """
    _check(ops, adapter.targets, "adapter.targets")
    if isinstance(adapter, Ia3):
        _check(ops, adapter.feedforward, "adapter.feedforward")
    everything = isinstance(adapter, Lora) and adapter.targets == "all-linear"
    stacked = STACKED.get(model_type, frozenset()) if everything else frozenset()
    return tuple(made for op in ops for made in _of(op, adapter, stacked))


def _of(op: Op, adapter: Adapter, stacked: Container[str]) -> Iterator[Op]:
    """One operation, with what the adapter adds to it."""
    matrix = op.parameters[0] if op.parameters and op.product is not None else None
    routes = op.linear is None and op.module.rsplit(".", 1)[-1] == _ROUTER and _ROUTER in stacked
    if isinstance(adapter, Lora) and matrix is not None and stacked and (routes or matrix.role is Role.EXPERT):
        yield from _on_parameter(op, matrix, adapter.rank)
    elif op.linear is None or not _named(op.module, adapter.targets) or op.module.rsplit(".", 1)[-1] in stacked:
        yield op
    else:
        yield from _lora(op, adapter) if isinstance(adapter, Lora) else _ia3(op, adapter)


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


def _lora(op: Op, adapter: Lora) -> Iterator[Op]:
    assert op.linear is not None
    assert op.product is not None
    d_in, d_out = op.linear
    source, rows = op.product.left, op.product.flops // (2 * d_in * d_out)
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
            Product(wire, weight.name, 2 * rows * weight.size, op.product.per, Part.ADAPTER),
            moved=rows * sum(shape),
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


def _on_parameter(op: Op, matrix: Parameter, rank: int) -> Iterator[Op]:
    """An adapter on a parameter itself: each pass adds the product of two low-rank matrices to it, for all experts."""
    assert op.product is not None
    count, rows, columns = (1, *matrix.shape)[-3:]
    container, name = matrix.name.rsplit(".", 1)
    joins = name == "gate_up_proj"
    rank = 2 * rank if joins else rank
    adapter = f"{container}.base_layer" if joins else container
    low = Parameter(f"{adapter}.lora_A.weight", (rank * count, columns), Role.ADAPTER)
    high = Parameter(f"{adapter}.lora_B.weight", (rows, rank * count), Role.ADAPTER)
    product = Product(low.name, high.name, 2 * rank * matrix.size, Per.PASS, Part.ADAPTER)
    if count > 1:  # peft registers the sum as a parametrisation, which torch tries out once
        yield Op((), "tried", product=product)
    yield Op((), "adapted", (matrix, low, high), product, moved=matrix.size, moved_per=Per.PASS)
    others = tuple(parameter for parameter in op.parameters if parameter is not matrix)
    used = replace(op.product, right="adapted")
    yield replace(op, reads=(*op.reads, "adapted"), parameters=others, product=used)
