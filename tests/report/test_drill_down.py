"""What the page tells of one result is what its manifest says, and nothing that it does not."""

from __future__ import annotations

from typing import Any

import pytest

from etude.report.page.drill_down import _facts, commit_of
from etude.report.page.findings import NodeResult


def facts(state: str = "stored", **said: Any) -> dict[str, str]:
    one = NodeResult(
        label="model",
        name="model",
        step="m:f",
        fingerprint="f" * 64,
        state=state,
        reason="boom",
        settings={"k": 1},
        code="c" * 64,
        reads=("data",),
        **said,
    )
    return {name: str(value) for name, value in _facts(one)}


def test_a_result_that_is_not_stored_tells_why_and_nothing_of_its_making() -> None:
    found = facts("failed")
    assert found["state"] == "failed: boom"
    assert "made" not in found
    assert found["reads"] == "data"


def test_only_a_result_that_is_not_deterministic_says_so() -> None:
    assert "by chance" not in facts()
    assert facts(deterministic=False)["by chance"] == "its step says that it is not deterministic"


def test_what_was_seen_accepted_or_not_seen_through_is_told_only_where_there_is_some() -> None:
    assert not {"seen when it ran", "accepted by hand", "code not seen through"} & facts().keys()
    where = {"accepted": {"from": "a" * 64, "because": "same"}, "unseen": ["m:f calls x"]}
    found = facts(provenance=where, observed={"file": "1", "env": "2"})
    assert found["seen when it ran"] == "file, env"
    assert found["accepted by hand"] == f"from {'a' * 12}: same"
    assert found["code not seen through"] == "m:f calls x"
    assert facts(provenance={"accepted": {"from": "a" * 64}})["accepted by hand"].endswith(": no reason")


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ({}, "no repository"),
        ({"git_commit": "abc"}, "abc"),
        ({"git_commit": "abc", "git_dirty": False}, "abc"),
        ({"git_commit": "abc", "git_dirty": True}, "abc, with changes that were not committed"),
    ],
)
def test_a_commit_says_whether_files_were_changed_since(where: dict[str, Any], told: str) -> None:
    assert commit_of(where) == told
