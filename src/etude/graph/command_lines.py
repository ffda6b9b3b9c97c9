"""Command lines in a step's settings: what of the project they run and name, and which nodes they read.

Python scripts and modules that it names are part of the node's code, as the code of a step is; other files of the
project count by content. `{name}` in it stands for an input.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from etude.errors import IdentityError
from etude.graph.step import OUT
from etude.identity.code import CodeIndex
from etude.identity.symbol_map import Opaque, SymbolMap

_PLACE = re.compile(r"(?<!\{)\{([A-Za-z_][A-Za-z0-9_]*)\}(?!\})")


def inputs_of(command: str) -> tuple[str, ...]:
    """The inputs that a command line names, in order: `{data}`, but not `{out}`, nor what is written `{{data}}`."""
    return tuple(dict.fromkeys(name for name in _PLACE.findall(_without_params(command)) if name != OUT))


def with_values(command: str, values: dict[str, str]) -> str:
    """The command line with a value in place of every `{name}`."""
    text = _PLACE.sub(lambda place: values.get(place[1], place[0]), command)
    return text.replace("{{", "{").replace("}}", "}")


def named_files(command: str, project: Path) -> list[Path]:
    """The files of a project that a command line names and that are no Python scripts."""
    return [path for path in _files(command, project) if path.suffix != ".py"]


def with_programs(symbols: SymbolMap, command: str, project: Path, reads: Sequence[str] = ()) -> SymbolMap:
    """A step's symbol map with the code of the Python scripts and modules that its command line runs.

    Args:
        symbols: Of the step that runs it.
        command: The command line.
        project: The project's folder.
        reads: What is declared to be read: of other folders that the line names it is told that they do not count.

    Raises:
        IdentityError: One has a syntax error.
    """
    maps = [
        CodeIndex(search_path=[script.parent, *_roots(project)]).whole(script.stem)
        for script in _files(command, project)
        if script.suffix == ".py"
    ]
    index = CodeIndex(search_path=_roots(project))
    for module in _modules(command):
        try:
            maps.append(index.whole(module))
        except IdentityError as error:
            if "is no module of the project" not in str(error):  # else it is a library's: its version is recorded
                raise
    unseen = [word for word in _words(command) if "${" in word and word.endswith((".py", ".sh"))]
    opaque = [
        Opaque(symbol="command:run", line=1, reason=f"runs {word}, which differs from variant to variant")
        for word in unseen
    ]
    opaque += [
        Opaque(symbol="command:run", line=1, reason=f"names the folder {folder}, which counts only under `reads`")
        for folder in _folders(command, project, reads)
    ]
    digest = hashlib.sha256(" ".join([symbols.digest, *(one.digest for one in maps)]).encode()).hexdigest()
    every = [symbols, *maps]
    return SymbolMap(
        symbols={name: value for one in every for name, value in one.symbols.items()},
        opaque=(*(place for one in maps for place in one.opaque), *opaque),
        packages=tuple(sorted({package for one in every for package in one.packages})),
        files={path: value for one in every for path, value in one.files.items()},
        digest=digest,
    )


def _roots(project: Path) -> list[Path]:
    return [folder for folder in (project, project / "src") if folder.is_dir()]


def _files(command: str, project: Path) -> Iterator[Path]:
    """The files within a project that stand as words in a command line, alone or behind a `=`."""
    seen = set()
    for word in _words(command):
        for text in (word, word.rpartition("=")[2]):
            path = project / text
            if text and not Path(text).is_absolute() and path.is_file() and path not in seen:
                seen.add(path)
                yield path


def _folders(command: str, project: Path, reads: Sequence[str]) -> list[str]:
    """The folders of a project that stand as words in a command line and are not declared to be read."""
    declared = [(project / path).resolve() for path in reads]
    words = (text for word in _words(command) for text in (word, word.rpartition("=")[2]))
    return [
        text
        for text in dict.fromkeys(words)
        if text
        and not Path(text).is_absolute()
        and (project / text).is_dir()
        and not any((project / text).resolve().is_relative_to(path) for path in declared)
    ]


def _modules(command: str) -> Iterator[str]:
    """What `-m` names behind a Python."""
    words = _words(command)
    for before, option, name in zip(words, words[1:], words[2:], strict=False):
        if option == "-m" and (before.startswith(("python", "torchrun")) or "python" in before):
            yield name


def _words(command: str) -> Sequence[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def _without_params(command: str) -> str:
    """The command line without `${param}`, which a study fills in."""
    return re.sub(r"\$\{[^}]*\}", "", command)
