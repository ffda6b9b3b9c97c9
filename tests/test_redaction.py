"""What is a secret, and that none is left in a text, whatever way it is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.redaction import HIDDEN, Redactor, names_a_secret

SECRET_TEXT = st.text(min_size=8).filter(lambda text: len(text.strip()) >= 8)


@pytest.mark.parametrize(
    "name",
    ["WANDB_API_KEY", "HF_TOKEN", "MLFLOW_TRACKING_PASSWORD", "AWS_SECRET_ACCESS_KEY", "token", "db.passwd", "apikey"],
)
def test_a_name_that_ends_in_a_word_for_a_secret_names_one(name: str) -> None:
    assert names_a_secret(name)


@pytest.mark.parametrize("name", ["key", "max_tokens", "TOKENIZERS_PARALLELISM", "monkey", "PATH", "SSH_AUTH_SOCK"])
def test_a_name_that_only_sounds_like_it_names_none(name: str) -> None:
    assert not names_a_secret(name)


@given(SECRET_TEXT, st.text(), st.text())
def test_no_value_of_a_secret_variable_is_left_in_a_text(secret: str, before: str, after: str) -> None:
    redact = Redactor.of({"HF_TOKEN": secret})
    assert secret.strip() not in redact(before + secret + after).replace(HIDDEN, "")


@given(SECRET_TEXT)
def test_a_secret_is_found_inside_of_json(secret: str) -> None:
    text = Redactor.of({"HF_TOKEN": secret})(json.dumps({"error": f"«{secret.strip()}»"}))
    assert json.loads(text)["error"] == f"«{HIDDEN}»"


@given(st.text(alphabet=st.characters(exclude_characters=":/@?&=", exclude_categories=["Cs"])))
def test_a_text_without_secrets_stays_as_it_is(text: str) -> None:
    assert Redactor.of({"HF_TOKEN": "hf_notinthere", "HOME": text})(text) == text.replace("hf_notinthere", HIDDEN)


def test_a_url_loses_its_user_and_password_and_nothing_else() -> None:
    assert Redactor()("see https://ann:s3cr%40t@db.example.org:5432/x now") == (
        f"see https://{HIDDEN}@db.example.org:5432/x now"
    )


@pytest.mark.parametrize(
    "text",
    [
        "https://db.example.org:5432/a@b",
        "git@example.org:a/b.git",
        "ssh://git@example.org/a",
        "https://${USER}:${PASSWORD}@example.org",
        'f"https://{user}:{password}@example.org"',
        "a: b @ c",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
    ],
)
def test_text_that_only_looks_like_it_stays(text: str) -> None:
    assert Redactor()(text) == text


@pytest.mark.parametrize(
    "token",
    [
        "hf_abcdefghijklmnopqrstuvwxyz0123",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "sk-abcdefghijklmnopqrstuvwx",
        "AKIAIOSFODNN7EXAMPLE",
        "Bearer abcdefghijklmnopqrstuvwxyz",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        "https://example.org/x?a=1&api_key=abc123",
    ],
)
def test_a_token_is_known_by_its_form(token: str) -> None:
    hidden = Redactor()(f"({token})")
    assert HIDDEN in hidden
    assert token.rpartition(" ")[2].rpartition("=")[2] not in hidden


def test_the_password_of_a_url_in_the_environment_is_a_secret_of_its_own() -> None:
    redact = Redactor.of({"HTTPS_PROXY": "http://ann:open%20sesame@proxy:8080"})
    assert redact("said open sesame, open%20sesame") == f"said {HIDDEN}, {HIDDEN}"


def test_short_values_are_not_looked_for() -> None:
    assert Redactor.of({"TOKEN": "1"})("1 + 1") == "1 + 1"


def test_names_and_values_at_any_depth_are_redacted() -> None:
    redact = Redactor.of({"TOKEN": "hunter22"})
    assert redact.within({"a": ["hunter22", {"hunter22": 1.5}], "b": None}) == {"a": [HIDDEN, {HIDDEN: 1.5}], "b": None}


@pytest.mark.parametrize("secret", ["hunter22", "a-much-longer-one-than-what-stands-for-it"])
def test_a_file_is_redacted_in_place_and_bytes_that_are_no_text_survive(tmp_path: Path, secret: str) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\xff\xfe " + secret.encode() + b"\n\x80tail")
    assert Redactor.of({"TOKEN": secret}).file(path)
    assert path.read_bytes() == b"\xff\xfe " + HIDDEN.encode() + b"\n\x80tail"


def test_a_file_without_secrets_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("nothing")
    path.chmod(0o444)
    assert not Redactor.of({"TOKEN": "hunter22"}).file(path)
    assert not Redactor().file(tmp_path / "absent")


def test_a_redactor_does_not_show_what_it_hides() -> None:
    assert "hunter22" not in repr(Redactor.of({"TOKEN": "hunter22"}))
