"""Long text and bytes, each as one file of just that."""

from __future__ import annotations

from typing import Any

from etude.store.codecs.leaf import Tree
from etude.store.files.artifact import Content
from etude.store.files.draft import Draft

LONG = 1 << 16
"""Characters or bytes above which text and bytes are no JSON any more."""


def holds(value: Any, annotation: Any) -> bool:
    """Whether a value is text or bytes too long for JSON, and may be stored as such."""
    return type(value) in (str, bytes) and len(value) > LONG and annotation in (type(value), object)


def encode(value: str | bytes, draft: Draft, at: str) -> Tree:
    """Write it as it is; text as UTF-8."""
    if isinstance(value, bytes):
        draft.put(f"{at}.bin", value)
        return {"codec": "bytes", "file": f"{at}.bin"}
    draft.put(f"{at}.txt", value.encode("utf-8", "surrogatepass"))
    return {"codec": "text", "file": f"{at}.txt"}


def decode(tree: Tree, content: Content) -> str | bytes:
    """Read it back."""
    data = content.read(tree["file"])
    return data if tree["codec"] == "bytes" else data.decode("utf-8", "surrogatepass")
