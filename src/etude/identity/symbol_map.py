"""What is known of a step's code: its symbols with their digests, and how two such maps differ."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Opaque:
    """A place in reached code that the syntax does not see through."""

    symbol: str
    """`module:Name`."""
    line: int
    reason: str
    """What cannot be seen, in words."""

    def __str__(self) -> str:
        module, _, name = self.symbol.partition(":")
        return f"{module}, line {self.line}, in {name}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolMap:
    """All project code that a step's result can depend on."""

    symbols: Mapping[str, str]
    """`module:Name` → digest of its code, sorted by name."""
    opaque: tuple[Opaque, ...]
    packages: tuple[str, ...]
    """Import names of the third-party packages that are reached."""
    files: Mapping[Path, str]
    """Source files that importing and running the step reads → sha256 of the bytes that were digested."""
    digest: str
    """The step's code in one word: the same wherever functions and constants stand, as long as that cannot matter."""

    def covers(self, reference: str) -> bool:
        """Whether a change of a class, named `module:Name`, changes this map, or is no project's code at all."""
        module, _, name = reference.partition(":")
        package = module.partition(".")[0]
        outside = package in sys.stdlib_module_names or package in self.packages
        return outside or f"{module}:{name.partition('.')[0]}" in self.symbols


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeChanges:
    """How two symbol maps differ, by symbol."""

    changed: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.changed or self.added or self.removed)


def explain_code(old: Mapping[str, str], new: Mapping[str, str]) -> CodeChanges:
    """Which symbols changed between the `symbols` of two maps."""
    return CodeChanges(
        changed=tuple(sorted(name for name in old.keys() & new.keys() if old[name] != new[name])),
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
    )
