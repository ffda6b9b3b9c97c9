"""Reads from the store what a tracker is told of a study and of each of its variants. Nothing is run."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from etude.analysis.records import rows_of
from etude.execute.record_table import record_table
from etude.execute.task import task_of
from etude.graph.node import Node
from etude.redaction import Redactor
from etude.report.charts.curves import AXES, curve_tables
from etude.store.files.manifest import Manifest
from etude.study.prepare import PreparedStudy
from etude.track.sink import MetricCurve, Plain, TrackerRun

MOST_FILES = 200
MOST_FILE_BYTES = 50_000_000
"""A larger file of results is not sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReader:
    """Reads one study for its trackers. Each thread has one of its own."""

    prepared: PreparedStudy
    redact: Redactor

    @property
    def study_key(self) -> str:
        """The key of the study's own run: the same for as long as it is the study of that name."""
        return _key("study", self.prepared.study.name)

    def has_ended(self, index: int) -> bool:
        """Whether a variant has all its results, or has failed."""
        missing = [node for node in self.prepared.expansion.nodes[index].values() if self._manifest(node) is None]
        return not missing or any(self.prepared.store.failure(node.fingerprint) for node in missing)

    def variant(self, index: int) -> TrackerRun:
        """One variant, as far as it has results."""
        prepared = self.prepared
        variant, nodes = prepared.expansion.variants[index], prepared.expansion.nodes[index]
        call = task_of(prepared.expansion.records, {}, {})
        table = record_table(prepared.store, call.rows[index : index + 1], call.settings)
        row, meaning = dict(rows_of(table)[0]), json.loads(table.schema.metadata[b"etude"])
        manifests = {name: manifest for name, node in nodes.items() if (manifest := self._manifest(node)) is not None}
        attributes = {name for parts in meaning["trust"].values() for name in parts.values()}
        numbers = [*meaning["metrics"], *meaning["costs"], *attributes]
        metrics = {name: value for name in numbers if (value := number(row.get(name))) is not None}
        fingerprints = {name: node.fingerprint for name, node in nodes.items()}
        times = self._times(nodes, manifests)
        return TrackerRun(
            key=_key("variant", prepared.study.name, variant.label, json.dumps(fingerprints, sort_keys=True)),
            name=self.redact(variant.label),
            study=prepared.study.name,
            parent=self.study_key,
            error=self._error(nodes, manifests),
            params=self._params(variant.params, nodes),
            metrics=metrics,
            curves=tuple(self._curves(manifests)),
            tags=self._tags(row, meaning, manifests, metrics, fingerprints),
            texts={"record.json": self.redact(_json({"record": row, "fingerprints": fingerprints}))},
            started_s=times[0],
            ended_s=times[1],
        )

    def whole(self) -> TrackerRun:
        """The study as a whole: what it is, how far it is, its tables and figures."""
        prepared = self.prepared
        study, results = prepared.study, prepared.workplace.results
        done = [all(self._manifest(node) for node in row.values()) for row in prepared.expansion.nodes]
        all_nodes = {node.fingerprint: node for row in prepared.expansion.nodes for node in row.values()}
        manifests = {key: manifest for key, node in all_nodes.items() if (manifest := self._manifest(node)) is not None}
        times = [_created_s(manifest) for manifest in manifests.values()] or [0.0]
        metrics = {"variants": float(len(done)), "variants_done": float(sum(done))}
        wall_s = [number(manifest.cost.get("wall_s")) for manifest in manifests.values()]
        measured_s = [value for value in wall_s if value is not None]
        sums = {"cost.wall_s": sum(measured_s)} if measured_s else {}  # the table of records is not measured
        files = dict(_files(results))
        described = {"description": study.description} if study.description else {}
        return TrackerRun(
            key=self.study_key,
            name=study.name,
            study=study.name,
            whole=True,
            params=self.redact.within(flatten({"params": study.params} if study.params else {})),
            metrics={**metrics, **sums},
            tags=self.redact.within({"study": study.name, "run": _last_run(manifests.values()), **described}),
            texts={file.name: self._text(file) for file in study.files if file.is_file()},
            files=files,
            started_s=min(times),
            ended_s=max(times),
        )

    def _manifest(self, node: Node) -> Manifest | None:
        manifest = self.prepared.store.inspect(node.fingerprint)
        return manifest if isinstance(manifest, Manifest) else None

    def _params(self, params: Mapping[str, object], nodes: Mapping[str, Node]) -> dict[str, Plain]:
        settings = {name: node.settings for name, node in nodes.items() if node.settings}
        flat = {**flatten(settings), **flatten(params)}
        return {name: self.redact.within(value) for name, value in flat.items()}

    def _error(self, nodes: Mapping[str, Node], manifests: Mapping[str, Manifest]) -> str:
        for name, node in nodes.items():
            if name not in manifests and (failure := self.prepared.store.failure(node.fingerprint)) is not None:
                return self.redact(f"{node.label()}: {failure.get('error', 'it failed')}")
        missing = [name for name in nodes if name not in manifests]
        return f"no result of {', '.join(missing)}" if missing else ""

    def _tags(
        self,
        row: Mapping[str, Any],
        meaning: Mapping[str, Any],
        manifests: Mapping[str, Manifest],
        metrics: Mapping[str, float],
        fingerprints: Mapping[str, str],
    ) -> dict[str, str]:
        provenance = [manifest.provenance for manifest in manifests.values()]
        last = max(manifests.values(), key=_created_s).provenance if manifests else {}
        tags = {
            "study": self.prepared.study.name,
            "run": str(last.get("run", "")),
            "fingerprint": _key(json.dumps(fingerprints, sort_keys=True))[:16],
            "git_commit": str(last.get("git_commit", "")),
            "host": str(last.get("host", "")),
            "etude": str(last.get("etude", "")),
            "accepted": str(row.get("accepted") or ""),
            "undefined": " ".join(name for name in meaning["metrics"] if name not in metrics and _is_number(row[name])),
        }
        attributes = {name for parts in meaning["trust"].values() for name in parts.values()}
        words = {
            name: str(value)
            for name, value in row.items()
            if isinstance(value, str) and (name in meaning["metrics"] or name in attributes)
        }
        if any(each.get("git_dirty") for each in provenance):
            tags["git_dirty"] = "true"
        return {name: self.redact(text) for name, text in {**tags, **words}.items() if text}

    def _curves(self, manifests: Mapping[str, Manifest]) -> Iterator[MetricCurve]:
        for node, manifest in manifests.items():
            for item, table in curve_tables(self.prepared.store, manifest):
                axis = next(axis for axis in AXES if axis in table.column_names)
                rows = table.to_pylist()
                for column in table.column_names:
                    points = {
                        int(at): value
                        for row in rows
                        if (at := number(row[axis])) is not None and (value := number(row[column])) is not None
                    }
                    if column not in AXES and points:
                        yield MetricCurve(f"{node}.{item or 'curve'}.{column}", axis, tuple(sorted(points.items())))

    def _times(self, nodes: Mapping[str, Node], manifests: Mapping[str, Manifest]) -> tuple[float, float]:
        """From the start of the first to the end of the last of the nodes that are the variant's own."""
        own = [manifest for name, manifest in manifests.items() if nodes[name].params] or list(manifests.values())
        if not own:
            return 0.0, 0.0
        starts = [_created_s(manifest) - (number(manifest.cost.get("wall_s")) or 0.0) for manifest in own]
        return min(starts), max(map(_created_s, own))

    def _text(self, file: Path) -> str:
        return self.redact(file.read_text(encoding="utf-8", errors="replace"))


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files of a results folder that are worth sending, by their names in it."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    for path in paths[:MOST_FILES]:
        if path.stat().st_size <= MOST_FILE_BYTES:
            yield path.relative_to(folder).as_posix(), path


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float))


def _last_run(manifests: Collection[Manifest]) -> str:
    """The run that made the latest of these results."""
    return str(max(manifests, key=_created_s).provenance.get("run", "")) if manifests else ""


def _created_s(manifest: Manifest) -> float:
    return datetime.fromisoformat(manifest.created).timestamp()


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n"


def _key(*parts: str) -> str:
    return sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Plain]:
    """Every plain value under the dotted path to it: `{"a": {"b": 1}}` gives `{"a.b": 1}`.

    A list of plain values, and an empty mapping or list, stays whole, as JSON text; numbers that are not finite are
    text as well, for no tracker can compare them.
    """
    flat: dict[str, Plain] = {}
    for name, value in values.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{path}.")
        elif isinstance(value, (list, tuple)) and any(isinstance(inner, (Mapping, list, tuple)) for inner in value):
            flat |= flatten(dict(enumerate(value)), f"{path}.")  # type: ignore[arg-type]
        else:
            flat[path] = _plain(value)
    return flat


def _plain(value: Any) -> Plain:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def number(value: object) -> float | None:
    """A finite number that a tracker can draw; None for anything else. True is 1."""
    if not isinstance(value, (bool, int, float)):
        return None
    try:
        finite = float(value)
    except OverflowError:
        return None
    return finite if math.isfinite(finite) else None
