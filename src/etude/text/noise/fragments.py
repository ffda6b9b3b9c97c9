"""Chooses what is put around a text, and where; the text itself is not touched."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from etude.errors import require
from etude.text.noise.pools import Pools, light

DRAWS = 16
"""Random numbers that one text uses up, whatever comes of them."""

_GAP = re.compile(r"(?<=\S)\s+(?=\S)")
_MARKS = frozenset(".?!…:;,)\"'")
_OPENER, _CONTEXT, _ASIDE, _JUSTIFICATION, _URGENCY, _ENDING = range(6)
_CORRECTION = 6

Phrases: TypeAlias = Sequence[tuple[str, int]]
"""Phrases with their numbers of words."""
Fragment: TypeAlias = tuple[int, tuple[str, int]]
"""A form and the phrase that fills it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseSpec:
    """How much is put around the texts of one side."""

    typos: float
    """Share of the texts whose phrases may have typos."""
    corrections: float
    """Share of the texts, if long enough, in which the speaker seems to think again."""
    two_fragments: float = 0.3
    """Share of the texts with two fragments; the others have one."""
    follow_up: float = 0.65
    """Share of the endings that are a further question and no closing."""
    letter: float = 0.02
    """Share of the letters that are mistyped, of those that can be, in texts that may have typos."""
    correction_words: int = 6
    """The fewest words of a text that is corrected."""
    longest: float = 1.45
    """The most words of a result, in words of the text. Where it would have more, only some of the fragments are put
    there; where each is too long, a light phrase of one or two words, however short the text."""

    def __post_init__(self) -> None:
        for name in ("typos", "corrections", "two_fragments", "follow_up", "letter"):
            value = getattr(self, name)
            require(0 <= value <= 1, name, value, "a share from 0 to 1")
        require(self.longest >= 1, "longest", self.longest, "1 or more")


class PlacedPhrase(NamedTuple):
    """A phrase and where it goes; `before` and `after` are the marks and spaces that come with it."""

    at: int
    before: str
    phrase: str
    after: str


class PreparedPools(NamedTuple):
    """The pools of one side, ready to be drawn from."""

    forms: tuple[Phrases, ...]
    """By form: openers, context, asides, justifications, urgency, follow-ups."""
    closers: Phrases
    corrections: Phrases
    light_openers: Phrases
    light_closers: Phrases
    stop: str


def prepare(pools: Pools, stop: str) -> PreparedPools:
    """Pools with their words counted."""
    forms = (pools.openers, pools.context, pools.asides, pools.justifications, pools.urgency, pools.follow_ups)
    return PreparedPools(
        forms=tuple(map(_counted, forms)),
        closers=_counted(pools.closers),
        corrections=_counted(pools.corrections),
        light_openers=_counted(light(pools.openers)),
        light_closers=_counted(light(pools.closers)),
        stop=stop,
    )


def pieces(text: str, draw: Sequence[float], pools: PreparedPools, spec: NoiseSpec) -> list[PlacedPhrase]:
    """What is put around one text, in the order of its places.

    Args:
        text: Nothing is put around a text without words.
        draw: `DRAWS` numbers from 0 to 1, exclusive.
        pools: Where phrases are taken from.
        spec: How much there is of everything.
    """
    words = len(text.split())
    if not words:
        return []
    room = (spec.longest - 1) * words
    every = _fragments(draw, pools, spec, words)
    fitting = [choice for choice in (every, every[:2], every[:1], every[-1:]) if _words(choice) <= room]
    return _placed(text, draw, fitting[0] if fitting else [_light(draw, pools)], pools.stop)


def _fragments(draw: Sequence[float], pools: PreparedPools, spec: NoiseSpec, words: int) -> list[Fragment]:
    """Forms with their phrases: one form or two that differ, and perhaps a correction."""
    first = int(draw[1] * 6)
    fragments = [(first, _phrase(first, draw[2], draw[3], pools, spec))]
    if draw[0] < spec.two_fragments:
        second = int(draw[4] * 5)
        second += second >= first
        fragments.append((second, _phrase(second, draw[5], draw[6], pools, spec)))
    if words >= spec.correction_words and draw[7] < spec.corrections:
        fragments.append((_CORRECTION, _pick(pools.corrections, draw[8])))
    return fragments


def _words(fragments: Sequence[Fragment]) -> int:
    return sum(count for _, (_, count) in fragments)


def _light(draw: Sequence[float], pools: PreparedPools) -> Fragment:
    if draw[9] < 0.5:
        return _OPENER, _pick(pools.light_openers, draw[10])
    return _ENDING, _pick(pools.light_closers, draw[10])


def _phrase(form: int, kind: float, choice: float, pools: PreparedPools, spec: NoiseSpec) -> tuple[str, int]:
    if form == _ENDING and kind >= spec.follow_up:
        return _pick(pools.closers, choice)
    return _pick(pools.forms[form], choice)


def _pick(phrases: Phrases, choice: float) -> tuple[str, int]:
    return phrases[int(choice * len(phrases))]


def _placed(text: str, draw: Sequence[float], fragments: Sequence[Fragment], stop: str) -> list[PlacedPhrase]:
    front: list[PlacedPhrase] = []
    inner: list[PlacedPhrase] = []
    back: list[PlacedPhrase] = []
    for form, (phrase, _) in sorted(fragments):
        if form in (_ASIDE, _CORRECTION):
            inner.append(PlacedPhrase(_gap(text, draw[11 if form == _ASIDE else 12]), "", phrase, " "))
        elif form in (_OPENER, _CONTEXT):
            front.append(PlacedPhrase(0, "", phrase, " "))
        else:
            mark = "" if back or text[-1].isspace() or text[-1] in _MARKS else stop
            space = "" if text[-1].isspace() and not back else " "
            back.append(PlacedPhrase(len(text), mark + space, phrase, ""))
    return front + sorted(inner) + back


def _counted(phrases: Sequence[str]) -> Phrases:
    return [(phrase, len(phrase.split())) for phrase in phrases]


def _gap(text: str, where: float) -> int:
    """The start of a word other than the first; the start of the text where it has one word."""
    gaps = [gap.end() for gap in _GAP.finditer(text)]
    return gaps[int(where * len(gaps))] if gaps else 0
