"""Symbol maps kept between runs, so that code that stays as it was is not read again.

A map depends on where modules are found, on their source, and on what reads them: étude's own code and Python. All of
it is kept with the map and compared before the map is used, so a file that is changed, appears or vanishes is noticed
whatever its times say. Each map is a file of its own, written beside and renamed; one that is damaged is as good as
none.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from etude.errors import IdentityError
from etude.identity.files import write_whole
from etude.identity.modules import BUILTINS, Module, ModuleFinder
from etude.identity.symbol_map import Opaque, SymbolMap

_MOST_FILES = 1024
"""About 60 MB at most; in excess of it the half that was written longest ago goes."""


class MapCache:
    """The maps that are kept in a folder. It is never made where its parent folder is not there.

    Args:
        folder: Where the files are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str, finder: ModuleFinder) -> SymbolMap | None:
        """The map kept under a name, if all that it depends on is as it was; None otherwise."""
        try:
            digest, _, text = self._file(name).read_bytes().partition(b"\n")
            if digest.decode() != _sha(text):
                return None
            entry = json.loads(text)
            if entry["name"] != name or not _holds(entry["modules"], finder):
                return None
            return _map_from_json(entry["map"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IdentityError):
            return None  # missing, damaged, or of code that cannot be read: then reading it tells

    def put(self, name: str, symbols: SymbolMap, finder: ModuleFinder) -> None:
        """Keep a map that was read from what a finder was asked for. Where that is impossible, nothing is kept."""
        modules = {module: _module_to_json(answer, finder) for module, answer in finder.asked.items()}
        entry = {"name": name, "modules": modules, "map": _map_to_json(symbols)}
        text = json.dumps(entry, separators=(",", ":")).encode()
        with suppress(OSError):
            if not self._folder.is_dir():
                self._folder.mkdir()
            elif len(files := list(self._folder.glob("*.json"))) >= _MOST_FILES:
                for file in sorted(files, key=lambda file: file.stat().st_mtime)[: _MOST_FILES // 2]:
                    file.unlink(missing_ok=True)
            write_whole(self._file(name), b"%s\n%s" % (_sha(text).encode(), text))

    def _file(self, name: str) -> Path:
        return self._folder / f"{_sha(f'{_reader()} {name}'.encode())[:32]}.json"


@cache
def _reader() -> str:
    """What reads code: the files of this room, Python, and the names that are built into it."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    code = [f"{file.name} {_sha(file.read_bytes())}" for file in files]
    return _sha("\n".join([sys.version, *sorted(BUILTINS), *code]).encode())


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _holds(modules: Mapping[str, list[object]], finder: ModuleFinder) -> bool:
    """Whether each module is found where it was, with the source that it had."""
    for name, (owner, path, locations, digest) in modules.items():
        module = finder.find(name)
        if [module.owner.value, _text(module.path), list(module.locations)] != [owner, path, locations]:
            return False
        if digest and (module.path is None or finder.digest_of(module.path) != digest):
            return False
    return True


def _module_to_json(module: Module, finder: ModuleFinder) -> list[object]:
    was_read = module.path is not None and finder.was_read(module.path)
    digest = finder.digest_of(module.path) if module.path is not None and was_read else ""
    return [module.owner.value, _text(module.path), module.locations, digest]


def _text(path: Path | None) -> str:
    return "" if path is None else str(path)


def _map_to_json(symbols: SymbolMap) -> dict[str, object]:
    return {
        "symbols": dict(symbols.symbols),
        "opaque": [[place.symbol, place.line, place.reason] for place in symbols.opaque],
        "packages": symbols.packages,
        "files": {str(path): digest for path, digest in symbols.files.items()},
        "digest": symbols.digest,
    }


def _map_from_json(entry: Any) -> SymbolMap:
    return SymbolMap(
        symbols=entry["symbols"],
        opaque=tuple(Opaque(symbol=symbol, line=line, reason=reason) for symbol, line, reason in entry["opaque"]),
        packages=tuple(entry["packages"]),
        files={Path(path): digest for path, digest in entry["files"].items()},
        digest=entry["digest"],
    )
