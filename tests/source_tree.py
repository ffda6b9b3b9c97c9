"""A folder of Python sources for tests of what is read from them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

from etude.identity.code import CodeIndex, SymbolMap
from etude.identity.map_cache import MapCache


class Tree:
    """A folder of Python sources, looked at afresh each time it is asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / ".etude" / "code"

    def write(self, files: Mapping[str, str]) -> Tree:
        """Write modules; a name without a suffix gets `.py`."""
        for name, text in files.items():
            path = self.folder / (name if "." in name else f"{name}.py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")
        return self

    def edit(self, name: str, old: str, new: str) -> Tree:
        """Replace the one occurrence of a text in a module."""
        path = self.folder / f"{name}.py"
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        path.write_text(text.replace(old, new), encoding="utf-8")
        return self

    def index(self, *, cache: bool = False) -> CodeIndex:
        self.cache.parent.mkdir(exist_ok=True)
        return CodeIndex([self.folder], cache=MapCache(self.cache) if cache else None)

    def map(self, function: str) -> SymbolMap:
        """The map of a function as it is read; one that an earlier run has kept must be the same, or not be used."""
        symbols = self.index().symbols_of(function)
        assert self.index(cache=True).symbols_of(function) == symbols, "the map that was kept is another"
        return symbols

    def digests(self, *functions: str) -> list[str]:
        return [self.map(function).digest for function in functions]

    def symbols(self, function: str) -> set[str]:
        return set(self.map(function).symbols)

    def reasons(self, function: str) -> list[str]:
        return [place.reason for place in self.map(function).opaque]
