"""From amounts of work to FLOPs: the products of a form times how much of each there is, over unequal samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from etude.flops.cost import Flops
from etude.flops.operations import Part
from etude.flops.passes import Form
from etude.flops.work import Work


def tally(form: Form, works: Iterable[Work]) -> Flops:
    """The FLOPs of this form over these pieces of work. Equal pieces are computed once, so long lists are cheap.

    Args:
        form: FLOPs for each unit of work.
        works: One piece for each sample.
    """
    groups = tuple(Counter(works).items())

    def of(part: Part, exact: bool = False) -> int:
        prices = form.get(part, ())
        return sum(price * work.amount(unit, exact) * times for unit, price in prices for work, times in groups)

    return Flops(
        dense_flops=of(Part.DENSE),
        expert_flops=of(Part.EXPERTS),
        head_flops=of(Part.HEAD),
        adapter_flops=of(Part.ADAPTER),
        attention_torch_flops=of(Part.ATTENTION),
        attention_exact_flops=of(Part.ATTENTION, exact=True),
        spectral_flops=of(Part.SPECTRAL),
    )
