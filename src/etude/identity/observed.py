"""What a step touched when it ran and its plan did not know: as text that can be looked up again, and what it is now.

Static reading of code can be wrong, so it is not trusted alone. Each thing observed is kept with the result, as a key
(`file data/a.txt`, `folder data`, `code plugins.big`, `variable MODE`) and a digest; where a digest is another when the
study is planned again, the node runs. A key without a digest is told and never compared.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from etude.errors import IdentityError
from etude.identity.code import CodeIndex, SymbolMap
from etude.identity.files import FileDigests

Observed = Mapping[str, str]
"""Key → digest when the step ran; empty where there is nothing to compare."""


class Thing(StrEnum):
    """What sort of thing was touched: the first word of its key."""

    FILE = "file"
    """Content of a file, or that there is none."""
    FOLDER = "folder"
    """Names in a folder."""
    TREE = "tree"
    """Names and sizes of all files below a folder, of which too many were read to compare each."""
    CODE = "code"
    """A module, or with `:name` one symbol of it, with all project code that it reaches."""
    VARIABLE = "variable"
    COMMAND = "command"
    """Another program that was started. What it reads is not seen."""
    RANDOM = "random"
    """A global generator that the step drew from without seeding it."""


ABSENT = "absent"
CHANGED = "changed while the step ran"
"""In place of a digest: which content the step has read is not known."""
OF_JOB = "job:"
"""Before the digest of a variable that was read in a batch job, which may set variables of its own."""

_OF_PLACE = re.compile(
    r"(HOME|HOST(NAME)?|USER|LOGNAME|PATH|PWD|OLDPWD|SHELL|SHLVL|TERM|TZ|DISPLAY|LANG|LANGUAGE|COLUMNS|LINES|EDITOR|"
    r"TMP|TEMP|TMPDIR|_|RANK|WORLD_SIZE|LOCAL_RANK|LOCAL_WORLD_SIZE|GROUP_RANK|NODE_RANK|NCCL_\w+|GLOO_\w+|"
    r"\w+_NUM_THREADS|\w+_MAXIMUM_THREADS|TOKENIZERS_PARALLELISM|"
    r"(LC|XDG|SSH|SLURM|SBATCH|PBS|LSB|SGE|MASTER|TORCHELASTIC|OMP|MKL|OPENBLAS|NUMEXPR|CUDA|ROCR|HIP|GPU|NVIDIA|"
    r"VIRTUAL_ENV|CONDA|PYTHON|LD|DYLD|ETUDE|PYTEST)(_\w*)?|PYTHON\w*)"
)
"""Variables that tell where something runs: placement, which never counts."""
_NOT_LISTED = frozenset({"__pycache__", "results"})


def key_of(thing: Thing, name: str) -> str:
    """The key of something that was touched."""
    return f"{thing} {name}"


def thing_of(key: str) -> tuple[Thing, str]:
    """The thing and the name in a key."""
    thing, _, name = key.partition(" ")
    return Thing(thing), name


def unseeded_generators(observed: Observed) -> list[str]:
    """The global generators that a step drew from without seeding them."""
    return [name for thing, name in map(thing_of, observed) if thing is Thing.RANDOM]


def how_not_deterministic(observed: Observed) -> str:
    """How it is known that a result is not deterministic, for a result of which that is so."""
    names = ", ".join(unseeded_generators(observed))
    return f"it drew from {names} without seeding it" if names else "its step says that it is not deterministic"


def is_of_place(variable: str) -> bool:
    """Whether an environment variable tells where something runs, not what."""
    return _OF_PLACE.fullmatch(variable) is not None


def value_digest(variable: str, value: str) -> str:
    """A short digest of a variable's value, which may be a secret."""
    return hashlib.sha256(f"{variable}={value}".encode("utf-8", "surrogateescape")).hexdigest()[:16]


@dataclass(slots=True, kw_only=True)
class Present:
    """Tells what things are now, in one project."""

    project: str
    """Absolute path; names of files are relative to it, so that a moved project stays the same."""
    files: FileDigests
    index: Callable[[], CodeIndex]
    """The code as it stands, asked for only where code was observed."""
    environment: Mapping[str, str] | None = None
    """None where it is not known; then variables are not compared."""
    _maps: dict[str, SymbolMap | None] = field(default_factory=dict)

    def name_of(self, path: str) -> str:
        """A file's name in keys: relative to the project if it is inside, else absolute or `../…` as it was given."""
        inside = path == self.project or path.startswith(f"{self.project}/")
        return os.path.relpath(path, self.project) if inside else path

    def digest(self, key: str) -> str:
        """The digest of what a key stands for, as it is now; empty for what is not compared."""
        thing, name = thing_of(key)
        match thing:
            case Thing.FILE:
                return self._content(self._path(name))
            case Thing.FOLDER:
                return _names_digest(self._path(name), whole=name == ".")
            case Thing.TREE:
                return _sizes_digest(self._path(name))
            case Thing.CODE:
                found = self.code(name)
                return ABSENT if found is None else found.digest
            case Thing.VARIABLE if self.environment is not None:
                value = self.environment.get(name)
                return ABSENT if value is None else value_digest(name, value)
        return ""

    def code(self, name: str) -> SymbolMap | None:
        """The symbol map of a module, or of one symbol of it (`module:name`); None where there is none to be read."""
        if name not in self._maps:
            self._maps[name] = None
            with contextlib.suppress(IdentityError, OSError, RecursionError):
                index = self.index()
                self._maps[name] = index.symbols_of(name) if ":" in name else index.whole(name)
        return self._maps[name]

    def maps(self) -> list[SymbolMap]:
        """The symbol maps of all code asked for so far."""
        return [found for found in self._maps.values() if found is not None]

    def compare(self) -> Callable[[Observed], str]:
        """Looks at each thing once: says in words what is different now, for any number of results."""
        now: dict[str, str] = {}

        def differences(observed: Observed) -> str:
            told = []
            for key, digest in observed.items():
                if not digest:
                    continue
                if key not in now:
                    now[key] = self.digest(key)
                if now[key] and now[key] != digest.removeprefix(OF_JOB):
                    if digest.startswith(OF_JOB) and now[key] == ABSENT:
                        continue  # the job itself has set it
                    told.append(_difference(key, digest, now[key]))
            more = f"; and {len(told) - 3} more" if len(told) > 3 else ""
            return "; ".join(told[:3]) + more

        return differences

    def _path(self, name: str) -> str:
        return os.path.normpath(f"{self.project}/{name}") if not name.startswith("/") else name

    def _content(self, path: str) -> str:
        if not os.path.lexists(path):
            return ABSENT
        try:
            return self.files.digest(path) if Path(path).is_file() else "no file"
        except IdentityError:
            return "not readable"


def _names_digest(folder: str, *, whole: bool) -> str:
    """The digest of what a folder's listing gives. Of a project's own folder, what étude puts there does not count."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(
                f"{entry.name}/" if entry.is_dir() else entry.name
                for entry in entries
                if not entry.name.startswith(".")
                and not (entry.name == "__pycache__" or (whole and entry.name in _NOT_LISTED))
            )
    except OSError:
        return ABSENT
    return hashlib.sha256("\n".join(names).encode("utf-8", "surrogateescape")).hexdigest()


def _sizes_digest(folder: str) -> str:
    whole = hashlib.sha256()
    for name, size in sorted(_sizes(folder, "")):
        whole.update(f"{name} {size}\n".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def _sizes(folder: str, prefix: str) -> Iterator[tuple[str, int]]:
    try:
        with os.scandir(folder) as listing:
            entries = [*listing]
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name in _NOT_LISTED:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _sizes(entry.path, f"{prefix}{entry.name}/")
        elif entry.is_file():
            yield prefix + entry.name, entry.stat().st_size


def _difference(key: str, old: str, new: str) -> str:
    if old == CHANGED:
        return f"{key} changed while the step read it"
    if new == ABSENT:
        return f"{key} is gone"
    if old == ABSENT:
        return f"{key} is there now"
    thing = thing_of(key)[0]
    what = {Thing.FILE: "has other content", Thing.FOLDER: "holds other names", Thing.TREE: "holds other files"}
    return f"{key} {what.get(thing, 'changed')}"
