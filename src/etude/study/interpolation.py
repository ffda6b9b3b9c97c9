"""`${name}` in settings: which params a value refers to, and the value once they are filled in. Pure and fast."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from etude.errors import ConfigError, Fault, nearest

_TOKEN: Final = re.compile(r"\$\$\{|\$\{([^{}]*)(\})?")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*")
_MISSING: Final = object()


def params_in(template: object) -> frozenset[str]:
    """The params that a nested settings value refers to: `"${model.width}"` refers to the param `model`."""
    return frozenset(name.partition(".")[0] for _, text in texts_in(template) for name in references(text))


def resolve(template: object, params: Mapping[str, object]) -> object:
    """A nested settings value with every `${name}` filled in.

    A text that is one `${name}` and nothing else becomes the param's value with its type. Inside longer text the
    value is written out as YAML writes it (`true`, `null`, `0.1`). `${model.width}` reads into a mapping, `${widths.0}`
    into a list. `$${` stands for a literal `${`. Keys of mappings are never filled in. Containers come back fresh.

    Raises:
        ConfigError: A name that no param has, text that is no name, a `${` that is never closed, or a list or mapping
            inside longer text. Each fault's path is the place inside the template, dotted.
    """
    try:
        return _filled(template, params)
    except _Unresolved as unresolved:
        raise ConfigError(list(_faults(template, params))) from unresolved


def references(text: str) -> tuple[str, ...]:
    """The names between `${` and `}` in one text, dotted as written, in order. Those that are no names as well."""
    return _pieces(text)[1::2] if "${" in text else ()


def escape(text: str) -> str:
    """The template that resolves to this text whatever it holds."""
    return text.replace("${", "$${")


def texts_in(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Each text inside a nested value with its dotted path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from texts_in(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from texts_in(inner, f"{path}.{index}" if path else str(index))


def unknown(name: str, params: Mapping[str, object]) -> tuple[str, str] | None:
    """Why a reference cannot be filled in and what to do about it; None where it can."""
    try:
        _value(name, params)
    except _Unresolved as unresolved:
        return unresolved.reason, unresolved.mend
    return None


def is_index(part: str) -> bool:
    """Whether a part of a dotted path may number an item: no list is so long that its items need 18 digits."""
    return part.isdecimal() and len(part) < 18


class _Unresolved(Exception):
    """A reference that cannot be filled in. Internal: becomes a ConfigError with the place."""

    def __init__(self, reason: str, mend: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.mend = mend


def _filled(template: object, params: Mapping[str, object]) -> object:
    if isinstance(template, str):
        return _text(template, params) if "${" in template else template
    if template is None or isinstance(template, (int, float)):
        return template
    if isinstance(template, (dict, Mapping)):  # dict first: the check against Mapping is slow
        return {key: _filled(inner, params) for key, inner in template.items()}
    if isinstance(template, list):
        return [_filled(inner, params) for inner in template]
    if isinstance(template, tuple):
        return tuple(_filled(inner, params) for inner in template)
    return template


def _text(text: str, params: Mapping[str, object]) -> object:
    pieces = _pieces(text)
    if len(pieces) == 3 and not pieces[0] and not pieces[2]:
        return _copied(_value(pieces[1], params))
    return "".join(_written(piece, params) if index % 2 else piece for index, piece in enumerate(pieces))


@lru_cache(maxsize=4096)
def _pieces(text: str) -> tuple[str, ...]:
    """Literal, name, literal, name, …, literal: names stand at the odd places. One never closed ends in `{`."""
    pieces = [""]
    end = 0
    for token in _TOKEN.finditer(text):
        pieces[-1] += text[end : token.start()]
        end = token.end()
        if token[1] is None:
            pieces[-1] += "${"
        else:
            pieces += [token[1] + ("" if token[2] else "{"), ""]
    pieces[-1] += text[end:]
    return tuple(pieces)


def _value(name: str, params: Mapping[str, object]) -> object:
    found = params.get(name, _MISSING)
    if found is not _MISSING:
        return found
    if not _NAME.fullmatch(name):
        raise _unreadable(name)
    at: object = params
    for depth, part in enumerate(name.split(".")):
        inner = _inside(at, part)
        if inner is _MISSING:
            raise _no_such(name, depth, at)
        at = inner
    return at


def _inside(at: object, part: str) -> object:
    if isinstance(at, Mapping):
        return at.get(part, _MISSING)
    if isinstance(at, (list, tuple)) and is_index(part) and int(part) < len(at):
        return at[int(part)]
    return _MISSING


def _unreadable(name: str) -> _Unresolved:
    if name.endswith("{"):
        return _Unresolved("a `${` is never closed", "close it with `}`, or write `$${` for a literal `${`")
    return _Unresolved(
        f"`${{{name}}}` holds no name", "write a param's name, as in ${seed}, or `$${` for a literal `${`"
    )


def _no_such(name: str, depth: int, at: object) -> _Unresolved:
    parts = name.split(".")
    if depth == 0:
        mend = nearest(parts[0], _keys(at)) if _keys(at) else f"add {parts[0]} to params"
        return _Unresolved(f"no param is called {parts[0]!r}", mend)
    outer = ".".join(parts[:depth])
    if not _keys(at):
        return _Unresolved(f"the param {outer!r} has nothing inside", f"write ${{{outer}}}")
    return _Unresolved(f"the param {outer!r} has no {parts[depth]!r} inside", nearest(parts[depth], _keys(at)))


def _keys(at: object) -> list[str]:
    if isinstance(at, Mapping):
        return [str(key) for key in at]
    return [str(index) for index in range(len(at))] if isinstance(at, (list, tuple)) else []


def _written(name: str, params: Mapping[str, object]) -> str:
    value = _value(name, params)
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    if isinstance(value, (int, float)):
        return repr(value)
    raise _Unresolved(
        f"the param {name!r} is a {'mapping' if isinstance(value, Mapping) else 'list'} and cannot stand inside text",
        f'let "${{{name}}}" stand alone, or name one value inside it',
    )


def _copied(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _copied(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_copied(inner) for inner in value]
    return value


def _faults(template: object, params: Mapping[str, object]) -> Iterator[Fault]:
    """Every text of the template that cannot be filled in; the slow way, taken only once something is wrong."""
    for path, text in texts_in(template):
        try:
            _filled(text, params)
        except _Unresolved as unresolved:
            yield Fault(path=path, value=text, reason=unresolved.reason, mend=unresolved.mend)
