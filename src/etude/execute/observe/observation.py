"""What a step touched when it ran and its plan did not know, to be kept with its result and compared at the next plan.

Static reading of code is not trusted alone. Around the call of a step stands an `Observation`; what came to it from the
audit hook and from the functions entered is compared with the step's symbol map and input files, and what is left gets
a digest.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from types import CodeType

from etude.execute.observe import function_tracer, generators
from etude.execute.observe.accesses import PROCESS, Accesses, Stamp, counts, module_files, module_names, stamp_of
from etude.execute.observe.audit import install, take_in_children
from etude.graph.importing import known_sources
from etude.identity.code import CodeIndex, SymbolMap
from etude.identity.files import FileDigests
from etude.identity.observed import ABSENT, CHANGED, Observed, Present, Thing, key_of, thing_of

MOST_FILES = 1000
"""Files that are compared one by one for one node; of folders with more, names and sizes are."""
MOST_BYTES = 2**30
"""Bytes that are read for digests for one node; of large folders beyond that, names and sizes are compared."""

_present: dict[tuple[str, str], Present] = {}


class Observation:
    """Sees what one node touches: a block around the call of its step."""

    __slots__ = ("_accesses", "_functions", "_generators", "_project", "_tracer", "unseeded")

    def __init__(self, project: str, store: str, code: str, *, opaque: bool) -> None:
        """
        Args:
            project: Its project's folder; empty to see nothing.
            store: A folder that does not count.
            code: The digest of its step's code: functions entered are looked for once for each.
            opaque: Whether the code has places that identity does not see through, so that it is worth to look again.
        """
        self._project = project
        self._accesses = Accesses()
        self._tracer = function_tracer.FunctionTracer(code, opaque=opaque)
        self._generators = generators.GeneratorWatch()
        self._functions: Collection[CodeType] = ()
        self.unseeded: tuple[str, ...] = ()
        """The global generators that the step drew from without seeding them."""
        if project:
            install(project)
            if f"{store}/" not in PROCESS.skipped:
                PROCESS.skipped += (f"{store}/",)

    def __enter__(self) -> Observation:
        if self._project:
            PROCESS.active += (self._accesses,)
            self._generators.start()
            self._tracer.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._project:
            self._functions = self._tracer.stop()
            self.unseeded = self._generators.stop()
            PROCESS.active = tuple(one for one in PROCESS.active if one is not self._accesses)

    def observed(self, symbols: Mapping[str, str], files: Collection[str], run: str, digests: FileDigests) -> Observed:
        """What the node touched that its plan did not know, with digests.

        Args:
            symbols: Its step's symbol map: `module:Name` → digest.
            files: The input files and folders that its settings name.
            run: The run that it is part of.
            digests: Remembers digests of files.
        """
        accesses = self._accesses
        take_in_children(accesses)
        if PROCESS.importing:
            for file in module_files(symbols):
                if file in PROCESS.importing:
                    accesses.add(PROCESS.importing[file])
        chance = {key_of(Thing.RANDOM, name): "" for name in self.unseeded}
        functions = [code for code in self._functions if counts(code.co_filename)]
        if not accesses and not functions:
            return chance
        present = _present_in(self._project, run, digests)
        return {**_News(present=present, accesses=accesses, symbols=symbols, planned=files).all(functions), **chance}

    def written(self) -> frozenset[str]:
        """The files and folders that the node wrote, by the names that they would have in `observed`."""
        name_of = Present(project=self._project, files=FileDigests(), index=CodeIndex).name_of
        return frozenset(name_of(path) for path in self._accesses.written if not path.startswith("$"))


def observed_by_all(ranks: Sequence[tuple[Observed, Collection[str]]]) -> Observed:
    """What the several processes of a node touched, as one: each with what it touched, and the files that it wrote.

    What one of them wrote is the node's own, also for the others. Of a file or of code that was another for two of
    them it is not known which content counts; a variable that each has for itself tells where it runs. Listings are
    those of the first, which is the last to end.
    """
    written = {name for _, names in ranks for name in names}
    together: dict[str, str] = {}
    for observed, _ in ranks:
        for key, digest in observed.items():
            thing, name = thing_of(key)
            if digest and thing in _PLACES and any(part in written for part in (name, *_folders_around(name))):
                continue
            if together.setdefault(key, digest) != digest and thing not in (Thing.FOLDER, Thing.TREE):
                together[key] = "" if thing is Thing.VARIABLE else CHANGED
    return together


_PLACES = (Thing.FILE, Thing.FOLDER, Thing.TREE)


def _folders_around(name: str) -> list[str]:
    return [str(folder) for folder in PurePosixPath(name).parents]


def _present_in(project: str, run: str, digests: FileDigests) -> Present:
    """Tells digests; of code, as it was when this process first looked at it in this run."""
    key = (project, run)
    if key not in _present:
        _present.clear()
        _present[key] = Present(project=project, files=digests, index=_index_once())
    _present[key].files = digests
    return _present[key]


def _index_once() -> Callable[[], CodeIndex]:
    made: list[CodeIndex] = []

    def index() -> CodeIndex:
        if not made:
            made.append(CodeIndex(sources=known_sources()))
        return made[0]

    return index


@dataclass(slots=True, kw_only=True)
class _News:
    """What of the things touched no plan knew, with digests."""

    present: Present
    accesses: Accesses
    symbols: Mapping[str, str]
    planned: Collection[str]
    found: dict[str, str] = field(default_factory=dict)
    codes: dict[str, tuple[SymbolMap, str]] = field(default_factory=dict)

    def all(self, functions: Collection[CodeType]) -> dict[str, str]:
        accesses = self.accesses
        self._files()
        for path in list(accesses.folders):
            if self._is_news(path):
                self._keep(Thing.FOLDER, path)
        modules = module_names() if accesses.sources or functions else {}
        for path, stamp in list(accesses.sources.items()):
            if not accesses.made(path):
                self._source(path, stamp, modules.get(path))
        for code in functions:
            if code.co_filename in modules and not accesses.made(code.co_filename):
                self._function(code, modules[code.co_filename])
        self._keep_code()
        for name, digest in list(accesses.variables.items()):
            if f"${name}" not in accesses.written:
                self.found[key_of(Thing.VARIABLE, name)] = digest
        told = [(Thing.FILE, self.present.name_of(path)) for path in accesses.rewritten]
        told += [(Thing.COMMAND, name) for name in accesses.commands]
        return self.found | {key_of(thing, name): "" for thing, name in told}

    def _files(self) -> None:
        by_folder: dict[str, dict[str, Stamp | None]] = {}
        for path, stamp in list(self.accesses.files.items()):
            if self._is_news(path) and not os.path.isdir(path):
                by_folder.setdefault(os.path.dirname(path), {})[path] = stamp
        many = sum(map(len, by_folder.values())) > MOST_FILES
        large = sum(map(_bytes_of, by_folder.values())) > MOST_BYTES
        for folder, stamps in by_folder.items():
            if (many and len(stamps) > MOST_FILES // 10) or (large and _bytes_of(stamps) > MOST_BYTES // 10):
                self._keep(Thing.TREE, folder)
                continue
            for path, stamp in stamps.items():
                if stamp is None:
                    self.found[key_of(Thing.FILE, self.present.name_of(path))] = ABSENT
                else:
                    self._keep(Thing.FILE, path, stamp)

    def _source(self, path: str, stamp: Stamp | None, module: str | None) -> None:
        """A module that was imported; one that cannot be found by a name counts as a file."""
        if module is None or self.present.code(module) is None:
            self._keep(Thing.FILE, path, stamp)
        else:
            self._code(module, path)

    def _function(self, code: CodeType, module: str) -> None:
        """A function that was entered: it counts by the symbol that it is part of, or else by its module."""
        top = code.co_qualname.partition(".")[0]
        if top == "<module>" or f"{module}:{top}" in self.symbols:
            return
        known = top.isidentifier() and self.present.code(f"{module}:{top}") is not None
        self._code(f"{module}:{top}" if known else module, code.co_filename)

    def _code(self, name: str, path: str) -> None:
        """Code that ran; what the step's own symbol map holds of it already is no news."""
        found = self.present.code(name)
        if found is not None and not found.symbols.keys() <= self.symbols.keys():
            loaded = PROCESS.loaded.get(path)
            changed = loaded is not None and path not in known_sources() and stamp_of(path) != loaded
            self.codes[name] = (found, CHANGED if changed else found.digest)

    def _keep_code(self) -> None:
        """Of code that reaches other code among it, the first alone is kept."""
        reached = set(self.symbols)
        for name, (found, digest) in sorted(self.codes.items(), key=lambda item: -len(item[1][0].symbols)):
            if digest == CHANGED or not found.symbols.keys() <= reached:
                self.found[key_of(Thing.CODE, name)] = digest
                reached |= found.symbols.keys()

    def _keep(self, thing: Thing, path: str, stamp: Stamp | None = None) -> None:
        """Keep a path with its digest: what was read, if it is still there as it was then."""
        key = key_of(thing, self.present.name_of(path))
        self.found[key] = CHANGED if stamp is not None and stamp_of(path) != stamp else self.present.digest(key)

    def _is_news(self, path: str) -> bool:
        planned = any(path == known or path.startswith(f"{known}/") for known in self.planned)
        return not planned and not self.accesses.made(path)


def _bytes_of(stamps: Mapping[str, Stamp | None]) -> int:
    return sum(stamp.size for stamp in stamps.values() if stamp is not None)
