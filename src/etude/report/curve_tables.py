"""Which parts of a stored result are learning curves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from etude.report.charts.curves import is_curve
from etude.store.manifest import Manifest
from etude.store.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

MOST_CURVE_BYTES = 4_000_000
"""Larger tables are data, not curves."""


def curve_tables(store: Store, manifest: Manifest) -> Iterator[tuple[str | None, pa.Table]]:
    """The items of a result that are learning curves, with their tables; None for the result itself."""
    items: list[Any] = (
        manifest.codec.get("items", []) if manifest.codec.get("codec") == "composite" else [[None, manifest.codec]]
    )
    sizes = {file.path: file.size for file in manifest.files}
    for item, codec in items:
        is_table = codec.get("codec") == "arrow" and codec.get("of") == "arrow"
        if is_table and sizes.get(codec["file"], 0) < MOST_CURVE_BYTES:
            table: pa.Table = store.read(manifest.fingerprint, item=item)
            if is_curve(table.column_names, table.num_rows):
                yield item, table
