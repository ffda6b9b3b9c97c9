"""What becomes of a result that cannot be stored: it was computed, so what can be kept of it is kept for the user.

It lies in the step's scratch folder and is no result: nothing of étude ever reads it. What no codec knows is pickled,
for the user's own hands.
"""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from urllib.parse import quote

from etude.errors import StepError
from etude.execute.error_text import result_or_error
from etude.store.codecs.encoding import encode
from etude.store.files import disk
from etude.store.files.draft import Draft

FOLDER = "unstored"


def salvage(value: object, scratch: Path, node: str) -> str:
    """Keep what can be kept of a value that cannot be stored.

    Args:
        value: What the step returned.
        scratch: Its scratch folder.
        node: Its name.

    Returns:
        What was kept, where, and how to go on without computing it again; empty where nothing could be kept.
    """
    folder = scratch / FOLDER
    kept, pickled = [], []
    for name, item in _items(value).items():
        place = folder / quote(name, safe=" ")
        disk.discard(str(place))
        if _encoded(item, place):
            kept.append(name)
        elif _pickled(item, place.with_name(f"{place.name}.pickle")):
            pickled.append(name)
    told = [", ".join(kept)] if kept else []
    told += [f"pickled: {', '.join(pickled)}"] if pickled else []
    if not told:
        return ""
    return (
        f"Kept in {folder}: {'; '.join(told)}.\n"
        f"    To go on without computing again: have the step return that once, as what can be stored; then mend the "
        f"step and run: etude accept {node}"
    )


def _items(value: object) -> dict[str, object]:
    """The items of a value that has some; else the value itself."""
    if isinstance(value, Mapping) and value:
        return {str(name): item for name, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return {"value": value}


def _encoded(item: object, place: Path) -> bool:
    draft = Draft(str(place), None)
    try:
        encode(item, object, draft)
    except (StepError, OSError):
        disk.discard(str(place))
        return False
    return place.is_dir() or _as_json(item, place)


def _as_json(item: object, place: Path) -> bool:
    """Write a value that a manifest would hold itself."""
    import json

    with contextlib.suppress(TypeError, ValueError, OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.with_name(f"{place.name}.json").write_text(json.dumps(item), encoding="utf-8")
        return True
    return False


def _pickled(item: object, file: Path) -> bool:
    def write() -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as into:
            pickle.dump(item, into)

    if result_or_error(write) is None:
        return True
    with contextlib.suppress(OSError):
        file.unlink()
    return False
