"""What a forward and a backward pass cost for each unit of work: the products of a model, summed by part and unit."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from etude.flops.operations import Op, Part, Product, Unit

Form = Mapping[Part, tuple[tuple[Unit, int], ...]]
"""For each part of a model, units of work and the FLOPs of each; a cost is the sum of amounts times these."""


def forward_form(ops: Sequence[Op]) -> Form:
    """The products of one forward pass."""
    return _summed((op.product, 1) for op in ops if op.product is not None and not op.product.backward_only)


def backward_form(ops: Sequence[Op], trainable: Container[str], loss: str) -> Form:
    """The products of one backward pass, as automatic differentiation runs them.

    A product costs its forward price once more for each operand that needs a gradient: a parameter that is trained, or
    a value that a trained parameter went into. What the loss does not depend on costs nothing.

    Args:
        ops: The operations of the forward pass, in order.
        trainable: Names of the parameters that are trained.
        loss: The wire that the loss is computed from, as it stands at the end.
    """
    products: list[tuple[Product, int]] = []
    steps = _numbered(ops)
    needs = _needing_gradient(ops, steps, trainable)
    final = {wire: number for step in steps for wire, number in step.written.items()}.get(loss)
    alive = {final}
    for op, step in zip(reversed(ops), reversed(steps), strict=True):
        number = step.written[op.writes]
        if number not in alive or not needs[number]:
            continue
        alive |= {value for value in step.read.values() if needs[value]}
        if op.product is None:
            continue
        operands = (op.product.left, op.product.right)
        wanted = sum(needs[step.read[name]] if name in step.read else name in trainable for name in operands)
        products.append((op.product, wanted))
    return _summed(products)


def _summed(products: Iterable[tuple[Product, int]]) -> Form:
    prices: dict[Part, dict[Unit, int]] = {}
    for product, times in products:
        if times:
            units = prices.setdefault(product.part, {})
            units[product.per] = units.get(product.per, 0) + product.flops * times
    return {part: tuple(units.items()) for part, units in prices.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """Which values an operation reads and writes: wires are reused, numbers of values are not."""

    read: Mapping[str, int]
    written: Mapping[str, int]


def _numbered(ops: Sequence[Op]) -> list[_Step]:
    holds: dict[str, int] = {}
    steps = []
    for number, op in enumerate(ops):
        read = {wire: holds[wire] for wire in op.reads}
        holds[op.writes] = number
        steps.append(_Step(read=read, written={op.writes: number}))
    return steps


def _needing_gradient(ops: Sequence[Op], steps: Sequence[_Step], trainable: Container[str]) -> list[bool]:
    needs: list[bool] = []
    for op, step in zip(ops, steps, strict=True):
        trained = any(parameter.name in trainable for parameter in op.parameters)
        needs.append(trained or any(needs[number] for number in step.read.values()))
    return needs
