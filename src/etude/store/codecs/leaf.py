"""The seam that every codec with files of its own stands behind, and how types are known without importing them."""

from __future__ import annotations

from typing import Any, Protocol

from etude.store.files.artifact import Content
from etude.store.files.draft import Draft

Tree = dict[str, Any]
"""How a value is written: JSON with at least the key `codec`. Names that users choose are never keys of it."""

TypeName = tuple[str, str]
"""Top-level package and class name: `("torch", "Tensor")`."""


class Codec(Protocol):
    """Writes values of some types to files, and reads them back."""

    @property
    def name(self) -> str: ...

    @property
    def types(self) -> tuple[TypeName, ...]: ...

    def encode(self, value: Any, draft: Draft, at: str) -> Tree:
        """Write a value under the name `at`. StepError where it would not come back as it is."""
        ...

    def decode(self, tree: Tree, content: Content, wanted: Any) -> Any:
        """Read it back, fresh or read-only; as the wanted type where there is more than one form."""
        ...


def belongs(cls: type, names: tuple[TypeName, ...]) -> bool:
    """Whether a class is one of these or derives from one. Imports nothing."""
    return any((base.__module__.partition(".")[0], base.__name__) in names for base in cls.__mro__)
