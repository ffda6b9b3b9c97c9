"""What became of a study's nodes, from what jobs told and what the store holds."""

from __future__ import annotations

from collections.abc import Sequence

from etude.batch import run_folder
from etude.batch.batch_job import End
from etude.batch.part_job import PartJob
from etude.execute.runner import Failure, RunSummary
from etude.execute.task import Outcome, Status
from etude.graph.node import Made, Node
from etude.store.files.manifest import Manifest
from etude.study.prepare import PreparedStudy


def summarise(prepared: PreparedStudy, tracks: Sequence[PartJob], summary: RunSummary, *, stopped: bool) -> None:
    """Fill in a summary. The store has the last word: a node is done if its result is there and was not before."""
    todo = {node.fingerprint: node for node in prepared.plan.todo}
    runs = {run_folder.run_of(track.folder).name for track in tracks}
    failed: dict[str, Node] = {}
    for fingerprint, node in todo.items():
        found = prepared.store.inspect(fingerprint)
        if isinstance(found, Manifest) and _is_new(prepared, fingerprint, found, runs):
            own = found.provenance.get("run") in runs and "adopted_from" not in found.provenance
            (summary.computed if own else summary.reused)[fingerprint] = Made.of(found)
            continue
        told = prepared.store.failure(fingerprint)
        if told is not None and _failed_now(tracks, fingerprint):
            outcome = Outcome(
                status=Status.FAILED,
                error=str(told.get("error", "")),
                traceback=str(told.get("traceback", "")),
                log=str(told.get("log", "")),
            )
            summary.failures.append(Failure(node=node, outcome=outcome, attempts=1))
            failed[fingerprint] = node
    for track in tracks:
        if track.end is End.FAILED and track.reason:
            _blame(track, todo, summary, failed)
    _block(prepared, summary, failed)
    summary.interrupted = stopped


def _is_new(prepared: PreparedStudy, fingerprint: str, found: Manifest, runs: set[str]) -> bool:
    before = prepared.plan.by_fingerprint[fingerprint].manifest
    return before is None or found != before or found.provenance.get("run") in runs


def _failed_now(tracks: Sequence[PartJob], fingerprint: str) -> bool:
    return any(fingerprint in track.part.nodes and track.end is End.FAILED for track in tracks)


def _blame(track: PartJob, todo: dict[str, Node], summary: RunSummary, failed: dict[str, Node]) -> None:
    """A job that the cluster cost too often: its first node that is not done has failed."""
    done = summary.computed.keys() | summary.reused.keys() | failed.keys()
    left = next((one for one in track.part.todo if one in todo and one not in done), None)
    if left is not None:
        log = track.folder / run_folder.OUTPUT
        outcome = Outcome(status=Status.LOST, error=track.reason, log=str(log) if log.exists() else "")
        summary.failures.append(Failure(node=todo[left], outcome=outcome, attempts=track.attempt))
        failed[left] = todo[left]


def _block(prepared: PreparedStudy, summary: RunSummary, failed: dict[str, Node]) -> None:
    """Every node that was not run because of one that failed."""
    because = dict(failed)
    done = summary.computed.keys() | summary.reused.keys()
    for node in prepared.plan.todo:
        if node.fingerprint in done or node.fingerprint in failed:
            continue
        above = next((because[other.fingerprint] for other in node.upstream() if other.fingerprint in because), None)
        if above is not None:
            because[node.fingerprint] = above
            summary.blocked[node.fingerprint] = above
