"""Finds steps by name: `text.load` in étude's own rooms, `package.module:function` in a user's project."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from etude.errors import IdentityError, nearest
from etude.graph.command_lines import with_programs
from etude.graph.importing import make_importable, use_sources
from etude.graph.signature import NotAStep, Signature, signature_of
from etude.graph.step import options_of
from etude.identity.code import CodeIndex, SymbolMap
from etude.identity.map_cache import MapCache

_ROOT = Path(__file__).parent.parent
COMMAND = "command"
"""The step that runs a command line."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class StepUse:
    """A step ready to be planned: its signature and the code that it reaches."""

    reference: str
    signature: Signature
    symbols: SymbolMap

    def programs(self) -> dict[str, str]:
        """The project's sources that a command line runs, path → digest as of an input file: they are read from the
        disk when the command runs, not from the bytes that were digested, and must still be those."""
        if not self.signature.command:
            return {}
        own = {path: digest for path, digest in self.symbols.files.items() if not path.is_relative_to(_ROOT)}
        return {str(path): f"{digest}{path.suffix.lower()}" for path, digest in own.items()}


@dataclass(slots=True, kw_only=True)
class StepLibrary:
    """The steps that one project can name. Each is looked up once."""

    project: Path
    given_sources: Mapping[str, bytes] = field(default_factory=dict)
    """Bytes of modules that count in place of those on disk, by absolute path."""
    index: CodeIndex = field(init=False)
    _found: dict[str, StepUse | NotAStep] = field(default_factory=dict)
    _plain: dict[tuple[str, str, frozenset[str], tuple[str, ...]], StepUse] = field(default_factory=dict)
    _observed: set[Path] = field(default_factory=set)

    def __post_init__(self) -> None:
        make_importable(self.project)
        cache = None if self.given_sources else MapCache(self.project / ".etude" / "code")
        self.index = CodeIndex(sources=self.given_sources, cache=cache)

    def find(self, name: str, given: Mapping[str, object] = MappingProxyType({})) -> StepUse:
        """The step of that name; of a function that is not marked as one, as these settings make it one.

        Raises:
            NotAStep: There is none, or it cannot be used; with the reason and the mend.
        """
        if name not in self._found:
            try:
                self._found[name] = self._load(name)
            except NotAStep as error:
                self._found[name] = error
        found = self._found[name]
        if isinstance(found, NotAStep):
            raise found
        signature = found.signature
        if not (signature.plain or signature.command) or not given:
            return found
        command = str(given.get(signature.command, "")) if signature.command else ""
        reads = tuple(map(str, read)) if isinstance(read := given.get("reads"), (list, tuple)) else ()
        key = (name, command, frozenset(given), reads)
        if key not in self._plain:
            own = signature_of(signature.reference, signature.function, given)
            self._plain[key] = replace(found, signature=own, symbols=self._with_programs(found.symbols, command, reads))
        return self._plain[key]

    def _with_programs(self, symbols: SymbolMap, command: str, reads: Sequence[str]) -> SymbolMap:
        try:
            return with_programs(symbols, command, self.project, reads) if command else symbols
        except IdentityError as error:
            reason, _, mend = str(error).partition("\n    Mend: ")
            raise NotAStep(f"the command {command!r} runs what cannot be read: {reason}", mend) from error

    def sources(self) -> dict[str, bytes]:
        """The source files outside étude that the steps found so far reach, or were seen to run: path → bytes."""
        paths = {path for use in self._found.values() if isinstance(use, StepUse) for path in use.symbols.files}
        return self._sources(paths | self._observed)

    def add_observed(self, maps: Iterable[SymbolMap]) -> None:
        """Have code that steps were seen to run imported from the bytes digested, as the code that they reach is."""
        paths = {path for found in maps for path in found.files}
        if paths:
            self._observed |= paths
            use_sources(self._sources(paths))

    def _sources(self, paths: Iterable[Path]) -> dict[str, bytes]:
        return {str(path): self.index.source_of(path) for path in paths if not path.is_relative_to(_ROOT)}

    def _load(self, name: str) -> StepUse:
        reference = full_reference(name)
        try:
            symbols = self.index.symbols_of(reference)
        except IdentityError as error:
            reason, _, mend = str(error).removeprefix(f"{reference}: ").partition("\n    Mend: ")
            raise NotAStep(f"there is no step {name!r}: {reason}", mend) from error
        use_sources(self._sources(symbols.files))
        try:
            function = import_function(reference)
        finally:
            _require_own(reference, symbols)
        return StepUse(reference=reference, signature=signature_of(reference, function), symbols=symbols)


def _require_own(reference: str, symbols: SymbolMap) -> None:
    """Refuse a step whose module was imported from another file than the one that was read.

    Raises:
        NotAStep: Another module has the name already.
    """
    name = reference.partition(":")[0]
    if name not in sys.modules:
        return
    loaded = getattr(sys.modules[name], "__file__", None)
    own = [path for path in symbols.files if path.stem == name.rpartition(".")[2] or path.stem == "__init__"]
    if own and (loaded is None or not any(_same(Path(loaded), path) for path in own)):
        raise NotAStep(
            f"importing {name} gives {loaded or 'a built-in module'}, not {own[0]}", "give your module another name"
        )


def _same(one: Path, other: Path) -> bool:
    return one == other or (one.exists() and one.samefile(other))


def full_reference(name: str) -> str:
    """`module:function` for a step's name as a study writes it.

    Raises:
        NotAStep: The name has neither form, or no room of that name exists.
    """
    if re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", name):
        return name
    if name == COMMAND:
        return "etude.command.steps:command"
    if not re.fullmatch(r"[A-Za-z_]\w*\.[A-Za-z_]\w*", name):
        raise NotAStep(
            f"{name!r} is no step's name", "write room.function for étude's own, package.module:function for yours"
        )
    room, function = name.split(".")
    if room not in step_rooms():
        mend = nearest(room, step_rooms()) + f" For a step of your own write `{room}:{function}`"
        raise NotAStep(f"étude has no room {room!r}", mend)
    return f"etude.{room}.steps:{function}"


def step_rooms() -> tuple[str, ...]:
    """étude's own rooms of steps."""
    return tuple(
        sorted({path.relative_to(_ROOT).parts[0] for path in (*_ROOT.glob("*/steps.py"), *_ROOT.glob("*/steps/"))})
    )


def step_names(room: str) -> tuple[str, ...]:
    """The steps of one room, by the names studies use."""
    module = importlib.import_module(f"etude.{room}.steps")
    return tuple(f"{room}.{name}" for name, value in vars(module).items() if options_of(value) is not None)


def import_function(reference: str) -> object:
    """The object a reference leads to.

    Raises:
        NotAStep: Importing its module fails; names the error and its place.
    """
    module_name, _, name = reference.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # a user's module may fail in any way
        raise NotAStep(f"importing {module_name} fails with {type(error).__name__}: {error}{_place(error)}") from error
    if not hasattr(module, name):
        raise NotAStep(f"{module_name} has no {name!r}", nearest(name, vars(module)))
    return getattr(module, name)


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})" if trace else ""
