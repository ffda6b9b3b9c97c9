"""The examples of the page on FLOPs run, one after the other, and what they assert holds."""

from __future__ import annotations

import re
from pathlib import Path

from etude import flops

PAGE = (Path(__file__).parents[2] / "docs" / "flops.md").read_text(encoding="utf-8")


def test_the_examples_of_the_page_run() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    assert len(blocks) >= 4
    exec("\n".join(blocks), {})


def test_the_page_names_what_the_package_offers() -> None:
    named = set(re.findall(r"flops\.([A-Za-z_]+)", PAGE))
    assert named - {"md"} <= set(dir(flops))
    for quantisation in flops.QUANTISATIONS:
        assert f"`{quantisation}`" in PAGE
