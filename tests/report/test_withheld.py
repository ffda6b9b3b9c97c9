"""What a report does not tell, for its name says that it is secret."""

from __future__ import annotations

from dataclasses import replace

import pytest

from etude.report.page.findings import WITHHELD, findings, without_secrets
from etude.report.page.report_page import document
from etude.study.execution import Result
from etude.study.prepare import prepare


@pytest.mark.parametrize("name", ["api_key", "apikey", "hub_token", "token", "Password", "aws.secret", "private_key"])
def test_texts_under_telling_names_are_withheld_at_any_depth(name: str) -> None:
    assert without_secrets({"a": [{name: "hunter2", "b": 1}]}) == {"a": [{name: WITHHELD, "b": 1}]}


@pytest.mark.parametrize(
    "kept", [{"max_tokens": 64}, {"tokens": "raw"}, {"token": 3}, {"key": "a"}, {"token": ""}, {"tokenizer": "bpe"}]
)
def test_what_only_sounds_like_it_is_kept(kept: dict[str, object]) -> None:
    assert without_secrets(kept) == kept


def test_no_secret_param_is_in_a_page(finished: Result) -> None:
    study = finished.prepared.study
    study = replace(study, params={**study.params, "hub_token": "hunter2"})
    page = document([findings(prepare(study))])
    assert "hub_token" in page
    assert WITHHELD in page
    assert "hunter2" not in page
