"""Whether a name says that its value is secret, in the spellings that are in use.

The words are those of Sentry's default deny list (`password`, `passwd`, `secret`, `api_key`, `mysql_pwd`,
`private_key`, `token`, …: docs.sentry.io, "Scrubbing sensitive data") and of the keywords of gitleaks' rule
`generic-api-key` (`access`, `auth`, `api`, `credential`, `creds`, `key`, `passwd`, `password`, `secret`, `token`), with
the variables that programs document: `PGPASSWORD` (libpq), `MYSQL_PWD`, `SSHPASS`, `SLURM_JWT`, `DOCKER_AUTH_CONFIG`.
"""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_PASSWORDS = re.compile(r"(password|passwd|passphrase|passcode)s?$")
_SECRETS = re.compile(r"(secrets?|credentials?|creds|apikey|secretkey|accesskey|privatekey|authkey|authtoken)$")
_UPPER_SECRETS = re.compile(r"(.token|^jwt|^cookie|^pat|^sas)$")
_NO_SECRET_TOKEN = _words(
    "added begin bos class cls decoder end eos first image last mask max min n next num pad per prefix sep special "
    "start stop suffix unk"
)
"""Words before `token` that make it one of a text."""
_KEY_OF = _words(
    "access account api app auth encryption license private secret service shared sign signing storage subscription "
    "webhook"
)
"""Words before `key` that make it a secret."""
_NO_SECRET_KEY = _words(
    "cache column dedup dict foreign group host hot index join known lookup merge natural order partition primary "
    "public row sort split unique"
)
_NO_SECRET_PASS = _words(
    "all backward band by com encom first forward full high last low max min multi n next no notch num one over per "
    "second single sur third tres two under"
)
"""What stands before `pass` in words and names that are no password: `low_pass`, `BYPASS`, `forward_pass`."""
_QUALIFIERS = _words(
    "admin b64 base base64 default dev main new old primary prod production read ro root rw secondary staging "
    "test value write"
)
"""Words that may follow in the name of a variable: `HF_TOKEN_READ`, `SECRET_KEY_BASE`."""
_EXACT = frozenset({"DOCKER_AUTH_CONFIG", "_AUTH", "NPM_CONFIG__AUTH", "AUTHORIZATION", "HTTP_AUTHORIZATION"})


def names_a_secret(name: str, value: str = "") -> bool:
    """Whether a variable, setting or column of this name holds a secret: `HF_TOKEN`, `api_key`, `hub.password`.

    Args:
        name: The name. One in capitals is a variable's, for which more spellings are in use.
        value: Its value, where that is at hand: a path or a plain word is no key.
    """
    upper = name == name.upper()
    if name in _EXACT:
        return True
    words = [word.lower() for word in _WORDS.findall(name)]
    while len(words) > 1 and (words[-1].isdigit() or (upper and words[-1] in _QUALIFIERS)):
        words.pop()
    if not words:
        return False
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if _PASSWORDS.search(last) or _is_password(last, before, upper=upper):
        return True
    if last == "token":
        return before not in _NO_SECRET_TOKEN
    if _SECRETS.search(last) or (upper and _UPPER_SECRETS.search(last) and (before or last != "pat")):
        return True
    if last != "key" or not before or _is_path(value):
        return False
    return before in _KEY_OF or (upper and before not in _NO_SECRET_KEY and not _is_word(value))


def _is_password(last: str, before: str, *, upper: bool) -> bool:
    """Whether a short word for a password ends the name, as of `MYSQL_PWD`, `SSHPASS`, but not of `PWD`, `low_pass`."""
    if last in ("pwd", "pass"):
        return bool(before) and before not in ("old", *_NO_SECRET_PASS)
    glued = re.fullmatch(r"(.+)(?:pwd|pass)", last)
    return upper and glued is not None and glued[1] not in ("old", *_NO_SECRET_PASS)


def _is_path(value: str) -> bool:
    return value.startswith(("/", "~/", "./")) and not re.search(r"[=\s]", value)


def _is_word(value: str) -> bool:
    return bool(re.fullmatch(r"[a-z_.-]*|[A-Z_.-]*", value)) and bool(value)
