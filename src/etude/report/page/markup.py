"""Markup that escapes what it is given: text becomes text, and only `tag` makes elements."""

from __future__ import annotations

import html
import re

VOID = frozenset({"meta", "input", "br", "hr", "img", "link"})
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*")


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


Child = str | None
"""Markup is kept, other text is escape, None is nothing."""
Attribute = str | int | float | bool | None


def tag(name: str, *children: Child, **attributes: Attribute) -> Markup:
    """An element. Attributes: `class_` is class, `data_x` is data-x; True stands bare, None and False are left out."""
    given = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{join(*children)}</{name}>")


def join(*children: Child) -> Markup:
    """Several pieces one after the other."""
    return Markup("".join(_child(child) for child in children))


def raw(text: str) -> Markup:
    """Text of our own files that is markup, style or script already. Never for anything that a user wrote."""
    return Markup(text)


def _child(child: Child) -> str:
    if child is None:
        return ""
    return str(child) if isinstance(child, Markup) else html.escape(_printable(child), quote=False)


def _attribute(key: str, value: Attribute) -> str:
    name = key.rstrip("_").replace("_", "-")
    assert _NAME.fullmatch(name), name
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    text = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return f' {name}="{html.escape(_printable(text), quote=True)}"'


def _printable(text: str) -> str:
    """Text without the control characters and lone halves of characters that no HTML file may hold."""
    return "".join(mark if mark in "\n\t" or mark.isprintable() or mark.isspace() else "\ufffd" for mark in text)
