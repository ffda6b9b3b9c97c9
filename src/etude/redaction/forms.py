"""Text that nothing but a secret looks like: tokens with their issuer's prefix, passwords in URLs, private keys.

The forms are those of gitleaks' rules (github.com/gitleaks/gitleaks, `config/gitleaks.toml`, version 8) and of GitHub's
secret scanning ("Supported secret scanning patterns", docs.github.com) that have a prefix of their own; forms that hold
on to a word nearby are left out, for a metric's or a file's name may be that. Every expression is looked for only where
its prefix stands, never goes back over what it has read, and knows a secret within `LONGEST` characters of its
beginning, so that the time is in proportion to the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

LONGEST = 16 * 1024
"""Characters after which a secret is known for one, whatever its form. It may go on for longer."""

_W = "[A-Za-z0-9_-]"
_A = "[A-Za-z0-9]"
_H = "[0-9a-f]"

_TOKENS: tuple[tuple[str, str], ...] = (
    ("hf_", rf"{_A}{{20,}}+"),
    ("api_org_", rf"{_A}{{34,}}+"),
    ("gh", rf"[pousr]_{_A}{{20,}}+"),
    ("github_pat_", r"[A-Za-z0-9_]{20,}+"),
    ("gl", rf"(?:pat|dt|rt|rtr|cbt|ptt|ft|imt|agent|oas|soat|ffct)-{_W}{{20,}}+(?:\.{_W}++)*+"),
    ("sk-", rf"(?:ant|proj|svcacct|admin|None|or-v1|lf)-{_W}{{20,}}+"),
    ("sk-", rf"(?:[a-z0-9]{{1,10}}-){{0,3}}{_A}{{16,}}+{_W}*+"),
    ("wandb_v1_", rf"{_W}{{20,}}+"),
    ("xox", r"[abeoprs]-[A-Za-z0-9-]{10,}+"),
    ("xapp-", r"[0-9]-[A-Za-z0-9-]{10,}+"),
    ("AKIA", r"[0-9A-Z]{16}(?![0-9A-Za-z])"),
    ("ASIA", r"[0-9A-Z]{16}(?![0-9A-Za-z])"),
    ("ABIA", r"[0-9A-Z]{16}(?![0-9A-Za-z])"),
    ("ACCA", r"[0-9A-Z]{16}(?![0-9A-Za-z])"),
    ("AIza", rf"{_W}{{35}}(?!{_W})"),
    ("GOCSPX-", rf"{_W}{{28}}(?!{_W})"),
    ("ya29.", rf"{_W}{{20,}}+"),
    ("eyJ", rf"{_W}{{8,2048}}+\.{_W}{{8,8192}}+\.{_W}{{8,}}+"),
    ("npm_", rf"{_A}{{36,}}+"),
    ("pypi-AgE", rf"{_W}{{40,}}+"),
    ("rubygems_", rf"{_H}{{48}}(?!{_A})"),
    ("dckr_", rf"(?:pat|oat)_{_W}{{20,}}+"),
    ("do", rf"[opr]_v1_{_H}{{64}}(?!{_A})"),
    ("sk_", rf"(?:live|test|prod)_{_A}{{10,}}+"),
    ("rk_", rf"(?:live|test|prod)_{_A}{{10,}}+"),
    ("SG.", rf"{_W}{{20,64}}+\.{_W}{{20,}}+"),
    ("shp", r"(?:at|ca|pa|ss)_[0-9a-fA-F]{32}(?![0-9A-Za-z])"),
    ("dapi", rf"{_H}{{32}}(?:-[0-9])?(?!{_A})"),
    ("hvs.", rf"{_W}{{24,}}+"),
    ("hvb.", rf"{_W}{{24,}}+"),
    ("ATATT3", r"[A-Za-z0-9_=-]{100,}+"),
    ("glsa_", rf"{_A}{{32}}_[0-9A-Fa-f]{{8}}(?!{_A})"),
    ("glc_", r"[A-Za-z0-9+/]{32,}+={0,2}"),
    ("sntry", r"[su]_[A-Za-z0-9+/=_]{40,}+"),
    ("pplx-", rf"{_A}{{40,}}+"),
    ("gsk_", rf"{_A}{{40,}}+"),
    ("xai-", rf"{_A}{{60,}}+"),
    ("nvapi-", rf"{_W}{{40,}}+"),
    ("r8_", rf"{_A}{{37,}}+"),
    ("lsv2_", rf"(?:pt|sk)_{_H}{{32}}_{_H}{{8,}}+"),
    ("jina_", rf"{_A}{{40,}}+"),
    ("KGAT_", rf"{_A}{{32,}}+"),
    ("sbp_", rf"{_H}{{40,}}+"),
    ("PMAK-", rf"{_H}{{24}}-{_H}{{34}}(?!{_A})"),
    ("NRAK-", rf"{_A}{{27}}(?!{_A})"),
    ("lin_api_", rf"{_A}{{40,}}+"),
    ("ntn_", rf"{_A}{{40,}}+"),
    ("figd_", rf"{_W}{{38,}}+"),
    ("dp.", rf"(?:pt|st|ct|sa|scim|audit)\.{_W}{{40,}}+"),
    ("pscale_", r"(?:tkn|pw|oauth)_[A-Za-z0-9=_.-]{32,}+"),
    ("AGE-SECRET-KEY-1", r"[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
    ("ops_eyJ", r"[A-Za-z0-9+/]{100,}+={0,3}"),
)
"""What a token begins with, and what comes after that."""


@cache
def _form(prefix: str, rest: str) -> re.Pattern[str]:
    """A token that does not begin within a word, unless an escape of JSON, of a terminal or of a URL ends there.

    What stands before it is looked at last, for an expression that begins with letters is found many times faster.
    """
    at = re.escape(prefix)
    begins = rf"(?:(?<![A-Za-z0-9]{at})|(?<=\\[nrtbf]{at})|(?<=[0-9\[]m{at})|(?<=%[0-9A-F][0-9A-F]{at}))"
    return re.compile(at + begins + rest)


_PLAIN: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("://", re.compile(r"://(?<=[A-Za-z0-9+.-]://)([^\s/@:'\"<>{$]{0,512}+:[^\s/@'\"<>{$][^\s/@'\"<>]{0,4096}+)@")),
    ("earer ", re.compile(r"earer (?<=[Bb]earer )([A-Za-z0-9._~+/-]{16,}+=*+)")),
    ("asic ", re.compile(r"asic (?<=: [Bb]asic )([A-Za-z0-9+/]{12,}+=*+)")),
    ("hooks.slack.com/", re.compile(r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9+/]{20,}+)")),
    (".atlasv1.", re.compile(rf"\.atlasv1\.({_W}{{60,}}+)")),
    ("AccountKey=", re.compile(r"AccountKey=([A-Za-z0-9+/]{40,}+={0,2})")),
    (
        "=",
        re.compile(
            r"[?&](?i:api_?key|access_?token|auth_?token|private_?token|token|password|passwd|secret|client_?secret|sig|"
            r"signature|x-amz-signature|x-amz-security-token|x-goog-signature|key)=([^&\s'\"{$<>]++)"
        ),
    ),
    (
        "-----BEGIN",
        re.compile(
            r"(-----BEGIN[ A-Z0-9]{0,40} ?PRIVATE KEY(?: BLOCK)?-----(?=[A-Za-z0-9+/=:,\s\\-]{40})"
            r"(?:[A-Za-z0-9+/=:,\s\\]|-(?!----))*+(?:-----END[ A-Z0-9]{0,40}-----)?)"
        ),
    ),
)
"""What is secret in them is their group."""


def spans_of_forms(text: str, start: int = 0) -> Iterator[tuple[int, int]]:
    """Where something stands in a text, from `start` on, that is secret by its form. They may overlap."""
    for prefix, rest in _TOKENS:
        if prefix in text:
            yield from (match.span() for match in _form(prefix, rest).finditer(text, start))
    for prefix, form in _PLAIN:
        if prefix in text:
            yield from (match.span(1) for match in form.finditer(text, start))


def url_logins(text: str) -> Iterator[str]:
    """The users and passwords of the URLs in a text, with a colon between them."""
    _, form = _PLAIN[0]
    return (match[1] for match in form.finditer(text))
