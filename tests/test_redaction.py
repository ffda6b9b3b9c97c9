"""What is a secret, and that none is left in a text, whatever way it is written."""

from __future__ import annotations

import json
import re
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.redaction import HIDDEN, RedactedStream, Redactor
from etude.redaction.names import names_a_secret

SECRET_TEXT = st.text(min_size=8).filter(lambda text: len(text.strip()) >= 8)


@pytest.mark.parametrize(
    "name",
    ["WANDB_API_KEY", "HF_TOKEN", "MLFLOW_TRACKING_PASSWORD", "AWS_SECRET_ACCESS_KEY", "token", "db.passwd", "apikey"],
)
def test_a_name_that_ends_in_a_word_for_a_secret_names_one(name: str) -> None:
    assert names_a_secret(name)


SECRET_NAMES = """
PGPASSWORD MYSQL_PWD DB_PWD DBPASS SSHPASS REDIS_PASS OPENAI_KEY AZURE_STORAGE_KEY AZURE_STORAGE_ACCOUNT_KEY
GITHUB_PAT GH_PAT HFTOKEN HF_TOKEN_READ OPENAI_API_KEY_2 SECRET_KEY_BASE KAGGLE_KEY COMET_API_KEY SLURM_JWT
AWS_SESSION_TOKEN NPM_TOKEN CLIENT_SECRET DB_CREDENTIALS AWS_CREDS DOCKER_AUTH_CONFIG MLFLOW_TRACKING_TOKEN
GPG_PASSPHRASE SESSION_COOKIE apiKey hubToken db_pass storage_key
"""
OTHER_NAMES = """
key max_tokens TOKENIZERS_PARALLELISM monkey PATH SSH_AUTH_SOCK PWD OLDPWD low_pass BYPASS forward_pass eos_token
pad_token max_token public_key n_tokens tokens_per_s KEYBOARD COMPASS pattern path compat auth
"""


@pytest.mark.parametrize(
    "name",
    SECRET_NAMES.split(),
)
def test_a_secret_is_known_by_its_name_however_that_is_spelt(name: str) -> None:
    assert names_a_secret(name, "Xk29-vq77")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "Xk29") for name in OTHER_NAMES.split()),
        ("SPLIT_KEY", "accuracy"),
        ("TLS_KEY", "/etc/ssl/host.pem"),
        ("sort_key", "f1_macro_2"),
    ],
)
def test_a_name_that_only_sounds_like_it_names_none(name: str, value: str) -> None:
    assert not names_a_secret(name, value)


def test_a_variable_that_is_marked_is_secret_whatever_its_name() -> None:
    redact = Redactor.of({"CORP_LOGIN": "hunter22", "OTHER": "hunter33", "ETUDE_SECRETS": "X, CORP_LOGIN"})
    assert redact("CORP_LOGIN hunter22 hunter33 X, CORP_LOGIN") == f"CORP_LOGIN {HIDDEN} hunter33 X, CORP_LOGIN"


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


_A = "aB3dE5gH7jK9mN1pQ2sT4vW6yZ8bC0xR"
KNOWN = [  # one of each form, as its issuer writes it
    f"ghp_{_A}0123",
    f"gho_{_A}0123",
    f"github_pat_{_A}_{_A}{_A}",
    f"glpat-{_A[:20]}",
    f"glrt-{_A[:20]}",
    f"sk-proj-{_A[:10]}-{_A[:10]}_{_A}",
    f"sk-ant-api03-{_A[:9]}-{_A}{_A}AA",
    f"sk-or-v1-{'0a1b' * 16}",
    f"hf_{_A}ab",
    f"xoxb-123456789012-123456789012-{_A[:24]}",
    f"xapp-1-A0123-123-{_A}",
    "ASIAIOSFODNN7EXAMPLE",
    f"AIza{_A}abc",
    f"GOCSPX-{_A[:28]}",
    f"ya29.{_A}{_A}",
    f"npm_{_A}0123",
    f"pypi-AgEIcHlwaS5vcmc{_A}{_A}",
    f"dckr_pat_{_A[:27]}",
    f"dop_v1_{'0a1b' * 16}",
    f"sk_live_{_A[:24]}",
    f"SG.{_A[:22]}.{_A}{_A[:11]}",
    f"shpat_{'0a1b' * 8}",
    f"dapi{'0a1b' * 8}",
    f"hvs.{_A}{_A}{_A}",
    f"glsa_{_A}_0a1b2c3d",
    f"gsk_{_A}{_A[:20]}",
    f"nvapi-{_A}{_A}",
    f"r8_{_A}01234",
    f"lsv2_pt_{'0a1b' * 8}_0a1b2c3d4e",
    f"https://hooks.slack.com/services/T0123/B0123/{_A}",
    f"AccountKey={_A}{_A}{_A[:22]}==",
    f"eyJ{_A}.eyJ{_A}.{_A}",
    f"Authorization: Basic {_A}==",
    f"-----BEGIN OPENSSH PRIVATE KEY-----\n{_A}{_A}\n{_A}{_A}\n-----END OPENSSH PRIVATE KEY-----",
    f"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A1B\n\n{_A}{_A}\n-----END RSA PRIVATE KEY-----",  # noqa: E501
    json.dumps(f"-----BEGIN PRIVATE KEY-----\n{_A}{_A}\n{_A}{_A}\n-----END PRIVATE KEY-----\n"),
]
TELLING = re.compile(r"aB3dE5gH7|0a1b0a1b|IOSFODNN7")


@pytest.mark.parametrize("token", KNOWN)
@pytest.mark.parametrize("before", ["", "token=", '"', "\\n", "\x1b[31m", "x-", "_"])
def test_a_token_of_a_well_known_issuer_is_hidden_wherever_it_stands(token: str, before: str) -> None:
    hidden = Redactor()(f"{before}{token} and more\n")
    assert HIDDEN in hidden
    assert not TELLING.search(hidden)
    assert hidden.endswith(" and more\n")


_NAMES = """
accuracy f1_macro test.loss energy_j tokens_per_s ghost_rate sk-learn hf_model gl_score eye AKIA do_sample
"""
NAMES = _NAMES.split()


@given(
    st.lists(
        st.one_of(
            st.sampled_from(NAMES),
            st.binary(min_size=16, max_size=16).map(bytes.hex),
            st.binary(min_size=32, max_size=32).map(bytes.hex),
            st.binary(min_size=64, max_size=64).map(bytes.hex),
            st.uuids().map(str),
            st.floats().map(repr),
            st.integers().map(str),
            st.lists(st.sampled_from(NAMES), min_size=2, max_size=6).map("/".join),
            st.lists(st.sampled_from(NAMES), min_size=2, max_size=6).map("-".join),
            st.lists(st.sampled_from(NAMES), min_size=2, max_size=6).map("_".join),
            st.datetimes().map(str),
        )
    ),
    st.sampled_from([",", " ", " | ", "\t", ": ", "="]),
)
def test_a_table_of_metrics_hashes_and_paths_stays_as_it_is(cells: list[str], between: str) -> None:
    assert Redactor()(between.join(cells)) == between.join(cells)


@pytest.mark.parametrize(
    "text",
    [
        "sk-learn-logistic-regression-baseline-for-banking77",
        "s3://bucket/run-2026/model.safetensors",
        "models/bert-base-uncased/pytorch_model-00001-of-00002.bin",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "https://huggingface.co/datasets/PolyAI/banking77?download=true",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "a private key begins with -----BEGIN PRIVATE KEY-----.",
    ],
)
def test_what_a_project_is_full_of_is_no_secret(text: str) -> None:
    assert Redactor()(text) == text


LINES = {
    "base64": "A",
    "scheme": "a://",
    "user": "a://u:",
    "user without end": "://aaaaaaaaaa:",
    "JSON web token": "eyJ-",
    "two parts of it": "eyJaaaaaaaa.",
    "key": "-----BEGIN PRIVATE KEY-----",
    "query": "?token=a&",
    "prefix": "sk-",
    "part of a value": "hunter2",
}


@pytest.mark.parametrize("unit", LINES.values(), ids=LINES)
def test_eight_times_the_text_takes_not_much_more_than_eight_times_the_time(unit: str) -> None:
    redact = Redactor.of({"TOKEN": "hunter22"})

    def least_s(length: int) -> float:
        text = "see http://example.org/x\n" + (unit * length)[:length]
        times = []
        for _ in range(3):
            start = time.process_time()
            assert "see http" in redact(text)
            times.append(time.process_time() - start)
        return min(times)

    assert least_s(400_000) < 24 * least_s(50_000) + 0.2  # a square would be 64 times as long, and minutes


PIECES = st.one_of(
    st.sampled_from(
        [*KNOWN, "hunter22", "two\nlines of one", "two\nlines", "\n", "\r", " ", "é", "x" * 50, "https://"]
    ),
    st.text(max_size=8),
)


@given(st.lists(PIECES, max_size=8), st.lists(st.integers(0, 4000), max_size=12), st.integers(400, 2000))
def test_a_stream_gives_the_same_as_the_whole_however_it_is_cut(pieces: list[str], cuts: list[int], reach: int) -> None:
    redact = Redactor.of({"TOKEN": "hunter22", "PASSWORD": "two\nlines of one"})
    data = "".join(pieces).encode("utf-8", "surrogatepass")
    stream = RedactedStream(redact=redact, reach=reach)
    at = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    told = b"".join(stream.feed(data[start:end]) for start, end in pairwise(at)) + stream.end()
    assert told == redact.data(data)


def test_a_stream_holds_no_more_than_a_secret_may_be_long() -> None:
    stream = RedactedStream(redact=Redactor())
    told = b"".join(stream.feed(b"sk-proj-" + b"A" * 8192 if n == 0 else b"A" * 8192) for n in range(500))
    assert len(stream._held) < 5 * stream.reach
    assert told + stream.end() == HIDDEN.encode()


def test_a_stream_gives_a_line_as_soon_as_it_has_ended() -> None:
    stream = RedactedStream(redact=Redactor.of({"TOKEN": "hunter22"}))
    assert stream.feed(b"epoch 1, hunt") == b""
    assert stream.feed(b"er22 0.5\nepoch") == f"epoch 1, {HIDDEN} 0.5\n".encode()


def test_the_password_of_a_url_in_the_environment_is_a_secret_of_its_own() -> None:
    redact = Redactor.of({"HTTPS_PROXY": "http://ann:open%20sesame@proxy:8080"})
    assert redact("said open sesame, open%20sesame") == f"said {HIDDEN}, {HIDDEN}"


def test_short_values_are_not_looked_for() -> None:
    assert Redactor.of({"TOKEN": "1"})("1 + 1") == "1 + 1"


def test_names_and_values_at_any_depth_are_redacted() -> None:
    redact = Redactor.of({"TOKEN": "hunter22"})
    assert redact.within({"a": ["hunter22", {"hunter22": 1.5}], "b": None}) == {"a": [HIDDEN, {HIDDEN: 1.5}], "b": None}


@pytest.mark.parametrize("secret", ["hunter22", "a-much-longer-one-than-what-stands-for-it"])
def test_bytes_that_are_no_text_survive(secret: str) -> None:
    data = b"\xff\xfe " + secret.encode() + b"\n\x80tail"
    assert Redactor.of({"TOKEN": secret}).data(data) == b"\xff\xfe " + HIDDEN.encode() + b"\n\x80tail"


def test_a_redactor_does_not_show_what_it_hides() -> None:
    assert "hunter22" not in repr(Redactor.of({"TOKEN": "hunter22"}))
