"""The symbol map of a step: every piece of project code that its result can depend on, each with a digest.

Read from source text alone; no module is imported, so nothing of the user's runs. A *symbol* is a name at the top of a
module with all the statements that make it what it is. From the step's own symbol the map goes on to every symbol that
its code names, however far away; third-party code is told by its import names, the standard library not at all. What
cannot be seen through is listed as `Opaque`, never guessed.

Comments, docstrings, formatting and code that the step does not reach never change a map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from etude.errors import IdentityError
from etude.identity.map_cache import MapCache
from etude.identity.modules import ModuleFinder, Owner
from etude.identity.symbol_map import CodeChanges as CodeChanges
from etude.identity.symbol_map import Opaque as Opaque
from etude.identity.symbol_map import SymbolMap as SymbolMap
from etude.identity.symbol_map import explain_code as explain_code

if TYPE_CHECKING:
    from etude.identity.reach import MapReader
    from etude.identity.symbols import Table


class CodeIndex:
    """The code of a project as it stands when it is first asked for: every file is read once.

    Args:
        search_path: Folders to look for modules in before those of `sys.path`, as `PYTHONPATH` would put them.
        sources: Bytes of files that count in place of those on disk, by absolute path.
        cache: Where maps are kept between runs; None to make each anew.
    """

    def __init__(
        self,
        search_path: Sequence[str | Path] | None = None,
        sources: Mapping[str, bytes] | None = None,
        cache: MapCache | None = None,
    ) -> None:
        self._finder = ModuleFinder(search_path or (), sources)
        self._cache = cache
        self._maps: dict[str, SymbolMap] = {}
        self._readers: dict[str, MapReader] = {}
        self._tables: dict[str, Table] = {}

    def symbols_of(self, function: str) -> SymbolMap:
        """The symbol map of a function, named `package.module:function`.

        A third-party function has no symbols, only its package.

        Raises:
            IdentityError: There is no such module or function, or reached source has a syntax error. Names the place,
                the reason and the mend.
        """
        return self._map(function, lambda reader: reader.symbols_of(function))

    def whole(self, module: str) -> SymbolMap:
        """The symbol map of a module of which any name may be meant, as of one that is imported by a computed name.

        Raises:
            IdentityError: There is no such first-party module with source, or reached source has a syntax error.
        """
        if self._finder.find(module).owner is not Owner.PROJECT:
            raise IdentityError(f"{module} is no module of the project whose source is read.")
        return self._map(f"{module}:*", lambda reader: reader.whole(module))

    def source_of(self, path: str | Path) -> bytes:
        """The very bytes of a source file that were digested.

        Raises:
            IdentityError: The file cannot be read.
        """
        return self._finder.source_of(Path(path))

    def _map(self, name: str, read: Callable[[MapReader], SymbolMap]) -> SymbolMap:
        """The map of that name: of this run, of an earlier one that met the same code, or read now."""
        if name not in self._maps:
            kept = self._cache.get(name, self._finder) if self._cache else None
            self._maps[name] = self._read(name, read) if kept is None else kept
        return self._maps[name]

    def _read(self, name: str, read: Callable[[MapReader], SymbolMap]) -> SymbolMap:
        from etude.identity.reach import MapReader  # what reads code is not needed where maps are kept

        # Each top-level package is read apart: what its maps have asked for is all that they depend on.
        top = name.partition(":")[0].partition(".")[0]
        if top not in self._readers:
            self._readers[top] = MapReader(self._finder.apart(), self._tables)
        reader = self._readers[top]
        symbols = read(reader)
        if self._cache:
            self._cache.put(name, symbols, reader.finder)
        return symbols
