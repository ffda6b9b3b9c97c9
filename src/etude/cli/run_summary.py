"""Shows how a run ended: what failed and why, its tables, what it came to and where its files are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from shlex import join
from textwrap import indent
from typing import TYPE_CHECKING

from rich.text import Text

from etude.cli.console import err, escape, out, redactor
from etude.cli.search_progress import search_lines
from etude.execute.runner import Failure
from etude.graph.labels import text_of
from etude.graph.node import Node
from etude.identity.observed import unseeded_generators
from etude.interchange import json_text
from etude.study.execution import Result
from etude.study.prepare import PreparedStudy
from etude.study.unrecorded_numbers import unrecorded_numbers
from etude.units import readable_seconds

if TYPE_CHECKING:
    from etude.track.delivery_queue import Delivery

MOST_FAILURES = 5
MOST_OBSERVED = 5


def show_outcome(result: Result, *, repeated: Sequence[str] = (), quiet: bool = False, as_json: bool = False) -> int:
    """Print what a run came to and where its files are. Returns the exit code.

    Args:
        result: The run.
        repeated: What of the command line belongs into a command that runs one failed node alone.
        quiet: Print failures alone.
        as_json: Print JSON where there would be tables and lines.
    """
    # After the run: tables and charts are none of what a run needs to start.
    from etude.report.export import export_results, search_advice, terminal_tables

    summary, prepared = result.summary, result.prepared
    causes = _by_cause(summary.failures)
    for failures in causes[:MOST_FAILURES]:
        _show_failure(failures[0], prepared, repeated)
        if len(failures) > 1:
            others = ", ".join(failure.node.label() for failure in failures[1:4]) + (", …" if len(failures) > 4 else "")
            err().print(f"    for the same reason, {len(failures) - 1} more: {escape(others)}", soft_wrap=True)
    if len(causes) > MOST_FAILURES:
        more = sum(map(len, causes[MOST_FAILURES:]))
        err().print(f"[red]and {more} more failed:[/] etude show {_file(prepared)} NODE tells of each", soft_wrap=True)
    failed = {failure.node.fingerprint for failure in summary.failures}
    blocked = [fingerprint for fingerprint, because in summary.blocked.items() if because.fingerprint in failed]
    if blocked:
        names = sorted({prepared.plan.by_fingerprint[fingerprint].node.label() for fingerprint in blocked})
        listed = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        err().print(f"[yellow]not run, for what they read failed:[/] {escape(listed)}")
    silent = quiet or as_json
    for table in () if prepared.partial or silent else terminal_tables(result):
        out().print(table)
    exported = () if prepared.partial else export_results(result)
    if not silent:
        _show_closing(result, exported, search_advice(prepared) if prepared.search is not None else "")
    if as_json:
        out().print_json(json_text(_result_fields(result, exported, repeated)))
    if summary.interrupted:
        return 130
    return 0 if result.succeeded else 1


def _show_closing(result: Result, exported: Sequence[object], advice: str) -> None:
    summary, prepared = result.summary, result.prepared
    cached = len(prepared.plan.cached)
    for line in search_lines(prepared):
        out().print(line, soft_wrap=True)
    if advice:
        out().print(f"[dim]{escape(advice)}[/]", soft_wrap=True)
    if not result.run:
        out().print(f"[green]nothing to do:[/] all {cached} results are there")
    else:
        word = (
            "[yellow]stopped[/]"
            if summary.interrupted
            else ("[green]done[/]" if result.succeeded else "[red]failed[/]")
        )
        out().print(f"{word} in {readable_seconds(result.wall_s)}: {_counts_text(_counts(result))}")
    for line in observed_lines(summary.observed.values()):
        out().print(line, soft_wrap=True)
    if numbers := unrecorded_numbers(prepared):
        listed = "; ".join(
            f"{name} ({', '.join(number or 'one number' for number in names[:4])})" for name, names in numbers.items()
        )
        mend = "return them by name: -> dict[str, float], or a dataclass of numbers"
        out().print(f"[yellow]note[/] numbers in no record: {escape(listed)} [dim]({mend})[/]", soft_wrap=True)
    if summary.interrupted:
        out().print("run the same command again to go on")
    if prepared.partial:
        file = escape(_file(prepared))
        out().print(
            f"[dim]tables and records are written by a run of all variants: etude run {file}[/]", soft_wrap=True
        )
    elif exported:
        out().print(f"results: {escape(prepared.workplace.results)}/", soft_wrap=True)
        out().print(escape("  " + "  ".join(str(name) for name in exported)), soft_wrap=True)


def _result_fields(result: Result, exported: Sequence[object], repeated: Sequence[str]) -> dict[str, object]:
    """What a run came to, for other programs."""
    summary, prepared = result.summary, result.prepared
    return {
        "study": prepared.study.name,
        "run": result.run or None,
        "succeeded": result.succeeded,
        "interrupted": summary.interrupted,
        "wall_s": result.wall_s,
        "nodes": _counts(result),
        "failures": [
            {
                "node": failure.node.title,
                "label": failure.node.label(),
                "params": dict(failure.node.params),
                "fingerprint": failure.node.fingerprint,
                "attempts": failure.attempts,
                "error": failure.outcome.error,
                "traceback": failure.outcome.traceback or None,
                "log": failure.outcome.log or None,
                "command": None if failure.node.study else _alone(failure.node, prepared, repeated),
            }
            for failure in summary.failures
        ],
        "observed": {node.label(): dict(things) for node, things in summary.observed.values()},
        "unrecorded": {name: [*numbers] for name, numbers in unrecorded_numbers(prepared).items()},
        "results": str(prepared.workplace.results) if exported else None,
        "files": [str(name) for name in exported],
    }


def observed_lines(observed: Iterable[tuple[Node, Mapping[str, str]]]) -> list[str]:
    """What steps touched when they ran and the plan did not know, a line for each node as written."""
    by_name: dict[str, dict[str, str]] = {}
    for node, things in observed:
        by_name.setdefault(node.title, {}).update(things)
    lines = []
    for name, things in by_name.items():
        chance = unseeded_generators(things)
        if chance:
            text = f"{name} draws from {', '.join(chance)} without seeding it: not deterministic"
            lines.append(f"[yellow]by chance[/] {escape(text)}")
        for compared in (True, False):
            keys = [key for key in things if bool(things[key]) is compared and not key.startswith("random ")]
            if keys:
                more = f" and {len(keys) - MOST_OBSERVED} more" if len(keys) > MOST_OBSERVED else ""
                what = "a change there reruns it" if compared else "a change there is not noticed"
                text = f"{name} used {', '.join(keys[:MOST_OBSERVED])}{more}"
                lines.append(f"[yellow]seen when it ran[/] {escape(text)} [dim]({what})[/]")
    return lines


def _counts(result: Result) -> dict[str, int]:
    """What became of the nodes, in numbers that add up to all of the plan."""
    summary, plan = result.summary, result.prepared.plan
    ended = {failure.node.fingerprint for failure in summary.failures} | {node.fingerprint for node in summary.stopped}
    left = {node.fingerprint for node in plan.todo} - summary.computed.keys() - summary.reused.keys() - ended
    return {
        "computed": len(summary.computed),
        "reused": len(summary.reused),
        "cached": len(plan.cached),
        "failed": len(summary.failures),
        "stopped": len(summary.stopped),
        "not_run": len(left),
    }


def _counts_text(counts: Mapping[str, int]) -> str:
    parts = [f"{counts[name]} {name}" for name in ("computed", "reused", "cached")]
    if counts["failed"]:
        parts.append(f"[red]{counts['failed']} failed[/]")
    if counts["stopped"]:
        parts.append(f"{counts['stopped']} stopped at a checkpoint")
    if counts["not_run"]:
        parts.append(f"{counts['not_run']} not run")
    return ", ".join(parts)


def _by_cause(failures: Sequence[Failure]) -> list[list[Failure]]:
    """The failures, those together that where they should run has cost: a pool of jobs that cannot run any node."""
    causes: dict[object, list[Failure]] = {}
    for failure in failures:
        outcome = failure.outcome
        shared = outcome.status == "lost" and not outcome.again and not outcome.log
        causes.setdefault(outcome.error if shared else failure.node.fingerprint, []).append(failure)
    return list(causes.values())


def _show_failure(failure: Failure, prepared: PreparedStudy, repeated: Sequence[str]) -> None:
    node, outcome = failure.node, failure.outcome
    attempts = f" (attempt {failure.attempts})" if failure.attempts > 1 else ""
    err().print(
        Text.assemble(("failed ", "bold red"), (node.label(), "bold"), f"{attempts}: {outcome.error}"), soft_wrap=True
    )
    if outcome.traceback:
        err().print(Text(indent(outcome.traceback.rstrip(), "    "), style="dim"), soft_wrap=True)
    if outcome.log:
        err().print(Text(f"    printed: {outcome.log}"), soft_wrap=True)
    if not node.study:
        err().print(Text(f"    this alone: {_alone(node, prepared, repeated)}"), soft_wrap=True)


def _alone(node: Node, prepared: PreparedStudy, repeated: Sequence[str]) -> str:
    """The command that runs one node, in a form that a shell takes."""
    only = [word for name, value in node.params.items() for word in ("--only-variant", f"{name}={text_of(value)}")]
    return join(["etude", "run", _file(prepared), *repeated, "--until", node.name, *only, "--on", "inline"])


def _file(prepared: PreparedStudy) -> str:
    return str(prepared.study.file or prepared.study.name)


def show_deliveries(deliveries: Sequence[Delivery], prepared: PreparedStudy, *, failures_only: bool = False) -> bool:
    """Say once what each tracker was told, or only what it was not. Returns whether all of them know everything."""
    file = str(prepared.study.file or prepared.study.name)
    for each in deliveries:
        if each.left or each.error:
            share = f"{each.sent + each.known} of {each.sent + each.known + each.left} runs told"
            text = f"{each.tracker}: {share}; {each.error or 'the rest is left'}"
            err().print(f"[yellow]note[/] {escape(redactor()(text))}", soft_wrap=True)
            err().print(f"    the rest: etude track {escape(file)} --to {each.tracker}", soft_wrap=True)
        elif not failures_only:
            counts = f"{_runs(each.sent)} told" + (f", {each.known} known already" if each.known else "")
            out().print(f"{each.tracker}: {counts}: {escape(each.place)}", soft_wrap=True)
    return not any(each.left or each.error for each in deliveries)


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"
