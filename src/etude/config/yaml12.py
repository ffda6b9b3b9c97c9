"""YAML as of version 1.2, with clear faults.

The parser is PyYAML's (its C one where it is built); scalars, tags, aliases and merge keys are resolved from its
events, so nothing but numbers, text, booleans, null, lists and mappings can come out of a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

import yaml

from etude.config.document import MAX_DEPTH, Document, failure, too_deep
from etude.config.yaml_tree import build, line_of
from etude.errors import ConfigError

_BRACKETED: Final = re.compile(r"[A-Za-z0-9_]\[")
_PARSER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse_yaml(text: str, file: str) -> Document:
    """The one document in this text.

    Raises:
        ConfigError: The text is no YAML, holds several documents, nests too deeply or multiplies itself. A key given
            twice and an unknown tag are faults of the document instead: the rest can still be read.
    """
    events = _events(text, file)
    starts = [event for event in events if isinstance(event, yaml.DocumentStartEvent)]
    if not starts:
        raise failure("is empty", file=file, mend="a study needs at least `pipeline:` with one node")
    if len(starts) > 1:
        mend = "keep one study per file and remove the `---`"
        raise failure("holds several documents", file=file, line=line_of(starts[1]), mend=mend)
    return build(events, file)


def _events(text: str, file: str) -> list[yaml.Event]:
    try:
        return list(_bounded(yaml.parse(text, Loader=_PARSER), file))
    except yaml.MarkedYAMLError as error:
        raise _told(error, text, file) from error
    except yaml.reader.ReaderError as error:
        code = error.character if isinstance(error.character, int) else ord(error.character)
        reason = f"is not YAML: character U+{code:04X} is not allowed"
        line = text.count("\n", 0, error.position) + 1
        raise failure(
            reason, file=file, line=line, mend="remove it, or write it as an escape in double quotes"
        ) from error


def _bounded(events: Iterable[yaml.Event], file: str) -> Iterator[yaml.Event]:
    """The events as they come, up to where they nest too deeply: the parser takes ever longer from there on."""
    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH + 1:
            raise too_deep(file, line_of(event))
        yield event


def _told(error: yaml.MarkedYAMLError, text: str, file: str) -> ConfigError:
    """A parser's complaint with the line and what usually mends it."""
    lines = text.splitlines() or [""]
    mark = error.problem_mark or error.context_mark
    number = min(mark.line, len(lines) - 1) if mark else 0
    column = mark.column if mark else 0
    opened = error.context_mark.line + 1 if error.context_mark else number + 1
    problem = str(error.problem or error.context)
    mend = _mend(problem, str(error.context), lines[number], column, opened)
    return failure(f"is not YAML: {problem}", file=file, line=number + 1, mend=mend)


def _mend(problem: str, context: str, line: str, column: int, opened: int) -> str:
    indentation = line[: len(line) - len(line.lstrip())]
    at = line[column : column + 1]
    if "\t" in indentation or at == "\t":
        return "this line has a tab: YAML indents with spaces alone"
    if "quoted scalar" in context:
        return f"close the quote that opens on line {opened}"
    if at in ("@", "`", "%"):
        return f"put text that starts with {at} in quotes"
    if "alias" in context or "anchor" in context:
        return "put text that starts with * or & in quotes"
    if "flow" in context and _BRACKETED.search(line):
        return 'put text that holds brackets in quotes, as in "node[*]"'
    if "flow" in context:
        return f"close the bracket that opens on line {opened}, with commas between its parts"
    if "mapping values are not allowed" in problem:
        return "put text that holds a colon in quotes, and check the indentation"
    if "simple key" in context:
        return f"line {opened} needs a colon: write `key: value`"
    return f"check the indentation here and at the block that opens on line {opened}"
