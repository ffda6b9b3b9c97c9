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
    groups = Counter(works)
    sums = dict.fromkeys(Part, 0)
    exact = 0
    for (part, unit), price in form.items():
        sums[part] += price * sum(work.amount(unit, False) * times for work, times in groups.items())
        if part is Part.ATTENTION:
            exact += price * sum(work.amount(unit, True) * times for work, times in groups.items())
    return Flops(
        dense_flops=sums[Part.DENSE],
        expert_flops=sums[Part.EXPERTS],
        head_flops=sums[Part.HEAD],
        adapter_flops=sums[Part.ADAPTER],
        attention_torch_flops=sums[Part.ATTENTION],
        attention_exact_flops=exact,
        spectral_flops=sums[Part.SPECTRAL],
    )
