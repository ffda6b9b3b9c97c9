"""The audit hook: what this process opens, lists, imports, starts and reads of its environment, as it happens.

Put in place once for each process. Events that name nothing of a project are left at once; étude itself, the store,
installed packages and Python's own files do not count.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import itertools
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from etude.environment import variable_mappings
from etude.execute.observe import generators
from etude.execute.observe.accesses import (
    IMPORTING,
    PROCESS,
    Accesses,
    asked_as_text,
    asked_by_import,
    asked_by_project,
    asked_by_statement,
    counts,
    observers,
    stamp_of,
)
from etude.identity.observed import ABSENT, OF_JOB, is_of_place, value_digest

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_BYTECODE = re.compile(r"(.*/)__pycache__/([^/]+?)\.[^/]*\.pyc(\.\d+)?$")
_OF_SYSTEM = tuple({f"{folder}/" for folder in (sys.prefix, sys.base_prefix)})
_OF_SYSTEM += ("/usr/", "/lib/", "/lib64/", "/proc/", "/sys/", "/dev/", "/etc/")
_JOBS = (b"SLURM_JOB_ID", b"PBS_JOBID", b"_CONDOR_JOB_AD", b"LSB_JOBID", b"PARSL_WORKER_RANK")
_SHELLS = frozenset({"sh", "bash", "dash", "zsh"})

Args = tuple[Any, ...]


def install(project: str | Path) -> None:
    """See from now on, in this process, what is touched in a project."""
    if f"{project}/" in PROCESS.roots:
        return
    for path in (os.path.abspath(project), os.path.realpath(project)):
        root = f"{path.rstrip('/')}/"
        if root not in PROCESS.roots:
            PROCESS.roots += (root,)
    if not PROCESS.pid:
        PROCESS.pid = os.getpid()
        for mapping in variable_mappings():
            _wrap_environment(mapping)
        _wrap_import()
        sys.addaudithook(_hook)


def _hook(event: str, args: Args) -> None:
    if event in _ACTIONS:
        _quietly(_ACTIONS[event], args)


def _quietly(see: Callable[..., None], *arguments: Any) -> None:
    try:  # noqa: SIM105 - it costs nothing
        see(*arguments)
    except Exception:  # what cannot be seen must not harm the step, nor a process that ends
        pass


# Files and folders.


def _opened(args: Args) -> None:
    path, _, flags = args
    if type(path) is not str:
        if type(path) is not bytes:
            return  # a descriptor
        path = os.fsdecode(path)
    if type(flags) is not int or not flags & _WRITING:
        _read(path)
    elif PROCESS.active and not os.path.isdir(path):  # that is a temporary file without a name
        _write(path)


def _read(path: str) -> None:
    """A file is about to be opened for reading."""
    if not IMPORTING and PROCESS.active and all(path in accesses.seen for accesses in PROCESS.active):
        return
    given = path
    relative = not path.startswith("/")
    if relative or "/." in path or "//" in path:
        path = _absolute(path)
    if not path.startswith(PROCESS.roots or "\0"):
        outside = PROCESS.active and (relative or (not path.startswith(_OF_SYSTEM) and asked_by_project()))
        if not outside or path.startswith(PROCESS.skipped) or "/site-packages/" in path or "/dist-packages/" in path:
            return
    elif not counts(path):
        return
    bytecode = _BYTECODE.match(path) if path.endswith(".pyc") else None
    if bytecode is not None:
        _source(f"{bytecode[1]}{bytecode[2]}.py")
    elif path.endswith(".py") and asked_by_import():
        _source(path)
    elif not path.endswith(".py") or asked_as_text():
        for accesses in observers():
            accesses.read(path)
            if not relative:
                accesses.seen.add(given)
        _tell_parent("read", path)


def _source(path: str) -> None:
    """A module of the project is loaded, or asked for by a name that is computed."""
    if counts(path):
        stamp = PROCESS.loaded.setdefault(path, stamp_of(path))
        if asked_by_statement():
            return
        for accesses in observers(loading=path):
            accesses.sources.setdefault(path, stamp)


def _listed(args: Args) -> None:
    path = _absolute("." if args[0] is None else _text(args[0]))
    if counts(f"{path}/") and not asked_by_import():
        for accesses in observers():
            if path not in accesses.written:
                accesses.folders[path] = None
        _tell_parent("list", path)


def _write(path: object) -> None:
    name = _text(path) if PROCESS.active else ""
    if name:
        name = _absolute(name)
        for accesses in PROCESS.active:
            accesses.write(name)


def _moved(args: Args) -> None:
    _write(args[0])
    _write(args[1])


def _text(path: object) -> str:
    """A path as text; empty for a descriptor."""
    return os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""


def _absolute(path: str) -> str:
    try:
        return os.path.normpath(path if path.startswith("/") else os.path.join(os.getcwd(), path))
    except OSError:  # the working folder is gone
        return path


# Code, and other programs.


def _imported(args: Args) -> None:
    if isinstance(args[1], str):
        _read(args[1])  # an extension module
    generators.importing(args[0])


def _library(args: Args) -> None:
    path = _text(args[0])
    if "/" in path:
        _read(path)


def _database(args: Args) -> None:
    path = _text(args[0])
    if os.path.isfile(path):
        _read(path)


def _started(args: Args) -> None:
    """`subprocess.Popen` with its executable, arguments and working folder."""
    words = [args[1]] if isinstance(args[1], (str, bytes, os.PathLike)) else args[1]
    _program([_text(word) for word in words], _text(args[2]))


def _program(words: list[str], folder: str = "") -> None:
    if not PROCESS.active or not words or not asked_by_project():
        return
    if len(words) == 1 or (os.path.basename(words[0]) in _SHELLS and words[1] == "-c"):
        words = words[-1].split() or words
    for accesses in PROCESS.active:
        accesses.commands[os.path.basename(words[0])] = None
        for path in _project_files(words, _absolute(folder)):
            accesses.read(path)


def _project_files(words: list[str], folder: str) -> list[str]:
    """The project's files among the words of a command: scripts, modules after `-m`, data."""
    named = [_absolute(f"{folder}/{word}" if not word.startswith("/") else word) for word in words]
    for before, word in itertools.pairwise(words):
        if before == "-m":
            bases = (f"{root}{source}{word.replace('.', '/')}" for root in PROCESS.roots for source in ("", "src/"))
            named += [path for base in bases for path in (f"{base}.py", f"{base}/__main__.py")]
    return [path for path in named if counts(path) and os.path.isfile(path)]


def _wrap_import() -> None:
    """See `importlib.import_module` of what is loaded already, of which no event tells."""
    bootstrap: Any = importlib._bootstrap
    original: Callable[..., ModuleType] = bootstrap._gcd_import

    def gcd_import(name: str, package: str | None = None, level: int = 0) -> ModuleType:
        module = original(name, package, level)
        file = getattr(module, "__file__", None)
        if PROCESS.active and isinstance(file, str):
            _source(file)
        return module

    bootstrap._gcd_import = gcd_import


# Forked children.


def _forking(_args: Args) -> None:
    if PROCESS.active and PROCESS.children is None:
        PROCESS.children = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the node is done
        handle = PROCESS.children.fileno()
        fcntl.fcntl(handle, fcntl.F_SETFL, fcntl.fcntl(handle, fcntl.F_GETFL) | os.O_APPEND)


def _tell_parent(how: str, path: str) -> None:
    """A forked child passes on what it touches, for it cannot be asked later."""
    if PROCESS.children is not None and os.getpid() != PROCESS.pid:
        with contextlib.suppress(OSError):
            os.write(PROCESS.children.fileno(), json.dumps([how, path]).encode() + b"\n")


def take_in_children(accesses: Accesses) -> None:
    """Add what forked children have passed on."""
    stream, PROCESS.children = PROCESS.children, None
    if stream is not None:
        with stream:
            stream.seek(0)
            lines = stream.read().splitlines()
        for line in lines:
            with contextlib.suppress(ValueError):  # half a line: the child was killed
                how, path = json.loads(line)
                if how == "read":
                    accesses.read(path)
                else:
                    accesses.folders[path] = None


# The environment.


def _wrap_environment(mapping: Any) -> None:
    """See which variables are read: `os.environ` passes each name through two functions of its own."""
    encode, decode = mapping.encodekey, mapping.decodekey
    values: Mapping[bytes, bytes] = mapping._data

    def encodekey(key: Any) -> Any:
        found = encode(key)
        _quietly(_variable, found, values, sys._getframe(1))
        return found

    def decodekey(key: Any) -> Any:
        if PROCESS.active:
            PROCESS.iterated.append(key)
        return decode(key)

    mapping.encodekey, mapping.decodekey = encodekey, decodekey


def _variable(key: bytes, values: Mapping[bytes, bytes], frame: FrameType) -> None:
    name = os.fsdecode(key)
    if frame.f_code.co_name in ("__setitem__", "__delitem__"):
        for accesses in PROCESS.active:
            accesses.written.add(f"${name}")
        return
    if PROCESS.iterated:  # all are read, one after the other: none of them is the code's choice
        if frame.f_back is not None and frame.f_back.f_code.co_name == "__iter__":
            PROCESS.iterated.clear()
            return
        if PROCESS.iterated.popleft() == key:
            return
        PROCESS.iterated.clear()
    if not IMPORTING and PROCESS.active and all(name in accesses.variables for accesses in PROCESS.active):
        return
    asking = _asking(key, frame)
    if asking in _not_asked:
        return
    if is_of_place(name) or not asked_by_project():
        if len(_not_asked) < _MOST_ASKING:
            _not_asked.add(asking)
        return
    value = values.get(key)
    digest = ABSENT if value is None else value_digest(name, os.fsdecode(value))
    if any(variable in values for variable in _JOBS):
        digest = OF_JOB + digest
    for accesses in observers():
        if f"${name}" not in accesses.written:
            accesses.variables.setdefault(name, digest)


_not_asked: set[tuple[object, ...]] = set()
"""Variables, each with the nearest code that reads it, where that is not the project's."""
_MOST_ASKING = 10_000


def _asking(key: bytes, frame: FrameType) -> tuple[object, ...]:
    """The variable and the code of the nearest frames: `getenv`, `get` and `__getitem__` stand between at most."""
    codes: list[object] = [key]
    at: FrameType | None = frame
    while at is not None and len(codes) < 5:
        codes.append(at.f_code)
        at = at.f_back
    return tuple(codes)


_ACTIONS: Mapping[str, Callable[[Args], None]] = {
    "open": _opened,
    "os.listdir": _listed,
    "os.scandir": _listed,
    "import": _imported,
    "etude.loaded": lambda args: _source(args[0]),
    "ctypes.dlopen": _library,
    "sqlite3.connect": _database,
    "subprocess.Popen": _started,
    "os.system": lambda args: _program([os.fsdecode(args[0])]),
    "os.posix_spawn": lambda args: _program([*map(_text, args[1])]),
    "os.fork": _forking,
    "os.rename": _moved,
    "os.remove": lambda args: _write(args[0]),
    "os.mkdir": lambda args: _write(args[0]),
    "os.rmdir": lambda args: _write(args[0]),
    "os.truncate": lambda args: _write(args[0]),
    "os.link": lambda args: _write(args[1]),
    "os.symlink": lambda args: _write(args[1]),
}
"""Event → what is done about it."""
