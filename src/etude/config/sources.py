"""What `from:` may say: `node`, `node.item`, `node[*]`, `records`, `@study/node`; one, a list, or a mapping."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from etude.study.study import Source

RECORDS: Final = "records"

SOURCE: Final = r"(?:@([^\s@\[\]]+)/)?([A-Za-z_][A-Za-z0-9_]*)(?:\.([A-Za-z0-9_-]+))?(\[\*\])?"
"""Study, node, item, across."""

Sources = Mapping[str, Source | tuple[Source, ...]]


def source_of(text: str) -> Source:
    """One source. The text must match `SOURCE`."""
    match = re.fullmatch(SOURCE, text)
    assert match is not None, text
    study, node, item, across = match.groups()
    return Source(node=node, item=item, across=across is not None, study=study)


def sources_of(written: object) -> Sources:
    """The inputs that a `from:` names, once its shape is checked.

    One source has the key `""`; a list stands by position: `"0"`, `"1"`, …; a list inside a mapping is one input that
    takes a sequence.
    """
    if isinstance(written, str):
        return {"": source_of(written)}
    if isinstance(written, list):
        return {str(index): source_of(text) for index, text in enumerate(written)}
    if isinstance(written, Mapping):
        return {name: _one_or_several(source) for name, source in written.items()}
    return {}


def _one_or_several(written: object) -> Source | tuple[Source, ...]:
    if isinstance(written, list):
        return tuple(source_of(text) for text in written)
    return source_of(str(written))


def placed(sources: Sources, path: str) -> list[tuple[str, Source]]:
    """Each source with its dotted path in the file."""
    found: list[tuple[str, Source]] = []
    for name, source in sources.items():
        inner = f"{path}.{name}" if name else path
        if isinstance(source, tuple):
            found += [(f"{inner}.{index}", each) for index, each in enumerate(source)]
        else:
            found.append((inner, source))
    return found
