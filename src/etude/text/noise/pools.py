"""Phrases that people put around what they want to say, by the part that they play."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

FamilyName: TypeAlias = Literal["banking", "clinc"]

LIGHT_WORDS = 2
"""An opener or closer of at most so many words is light: it may go with any text, however short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """The phrases of one side, training or test. None of them says what a text is about."""

    openers: tuple[str, ...]
    """Before everything else."""
    context: tuple[str, ...]
    """Before the text, after an opener: where the speaker comes from."""
    asides: tuple[str, ...]
    """Between two words of the text."""
    corrections: tuple[str, ...]
    """Between two words, where the speaker seems to think again; nothing is said twice."""
    justifications: tuple[str, ...]
    """After the text: why it is asked."""
    urgency: tuple[str, ...]
    """After the text: how soon an answer is wanted, softly."""
    follow_ups: tuple[str, ...]
    """At the end: a further question that adds none."""
    closers: tuple[str, ...]
    """At the end."""

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        return (getattr(self, field.name) for field in fields(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Phrases that fit one kind of text."""

    train: Pools
    test: Pools
    """Worded without a turn of phrase that `train` has, and more formal: a shift between training and test."""
    stop: str
    """What ends a text that has no end mark before a phrase follows; empty where texts have no punctuation."""


def light(phrases: tuple[str, ...]) -> tuple[str, ...]:
    """Those that are short enough for any text."""
    return tuple(phrase for phrase in phrases if len(phrase.split()) <= LIGHT_WORDS)
