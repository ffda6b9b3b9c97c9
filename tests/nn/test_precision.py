from __future__ import annotations

from typing import Any

import pytest
import torch

from etude.nn.precision import format_for


@pytest.mark.parametrize(
    ("told", "expected"),
    [({"avx512_bf16": True}, "bf16"), ({"amx_bf16": True}, "bf16"), ({"avx512_bf16": False}, "fp32"), ({}, "fp32")],
)
def test_a_processor_computes_in_bfloat16_where_it_says_that_it_can(
    told: dict[str, Any], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: told)
    assert format_for("auto", ()) == expected


def test_a_wish_is_granted_whatever_the_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert format_for("fp32", ()) == "fp32"
    assert format_for("bf16", ("cuda:0",)) == "bf16"


@pytest.mark.parametrize(("major", "expected"), [(7, "fp32"), (8, "bf16"), (9, "bf16")])
def test_a_gpu_computes_in_bfloat16_from_its_eighth_generation_on(
    major: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda name: (major, 0))
    monkeypatch.setattr(torch.version, "hip", None)
    assert format_for("auto", ("cuda:0",)) == expected
