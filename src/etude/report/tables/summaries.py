"""The summaries of a study, as its collect nodes made them or as far as its records go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from etude.analysis.summary import StudySummary
from etude.errors import EtudeError
from etude.execute.record_table import current_records
from etude.graph.node import RECORDS, Feed, Node
from etude.store.files.manifest import Manifest
from etude.study.aggregate_checks import AGGREGATE
from etude.study.prepare import PreparedStudy


def summaries_of(prepared: PreparedStudy) -> Iterator[tuple[str, StudySummary]]:
    """The summaries that the study's collect nodes gave, by the name of the node.

    Where one could not be made, for some variants or another node failed, its table is made of what there is; the
    summary's notes say what is missing. Such a table is never stored.
    """
    absent: list[Node] = []
    for name, node in prepared.expansion.collect.items():
        if node.use is None or node.use.signature.returns is not StudySummary:
            continue
        if isinstance(prepared.store.inspect(node.fingerprint), Manifest):
            summary = prepared.store.read(node.fingerprint, as_type=StudySummary)
            assert isinstance(summary, StudySummary)
            yield name, summary
        else:
            absent.append(node)
    if absent:
        yield from _of_what_there_is(prepared, absent)


def _of_what_there_is(prepared: PreparedStudy, absent: Sequence[Node]) -> Iterator[tuple[str, StudySummary]]:
    """Tables that no node has made, from the records as far as they go; nothing where no variant is done."""
    records = current_records(prepared.store, prepared.expansion.records)
    if "done" not in records["status"].to_pylist():
        return
    for node in absent:
        reads = [source.node.name for source in node.inputs.values() if isinstance(source, Feed)]
        if node.use is None or node.use.reference != AGGREGATE:
            continue
        signature = node.use.signature
        try:
            settings = {name: signature.validated(name, value) for name, value in node.settings.items()}
            if reads == [RECORDS]:
                yield node.name, signature.function(records, **settings)
                continue
            names = ("by", "replicate", "baseline")
            summary = signature.function(records, **{name: settings[name] for name in names if name in settings})
            told = f"incomplete: {', '.join(reads)} could not be read, so these are means of the records as they are"
            yield node.name, replace(summary, notes=(told, *summary.notes))
        except (EtudeError, ValueError):
            continue  # the run has told why it cannot be made
