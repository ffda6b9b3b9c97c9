"""Shows what a plan means to do and how a run ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from etude.cli.tell import err, escaped, out
from etude.graph.explain import Change, why
from etude.graph.labels import text_of
from etude.graph.plan import Action, State
from etude.identity.observed import unseeded
from etude.interchange import json_text
from etude.store.manifest import Manifest
from etude.study.accept import earlier_result
from etude.units import readable_seconds

if TYPE_CHECKING:
    from etude.execute.runner import Failure
    from etude.graph.node import Node
    from etude.study.execution import Result
    from etude.study.prepare import Prepared


MOST_CHANGES = 12
MOST_FAILURES = 5
MOST_OBSERVED = 5
UNLESS_SEEN = "a change there reruns it only if it was seen when the step ran"


def show_plan(prepared: Prepared, *, why: bool, as_json: bool = False) -> None:
    """Print a plan: a row for each node as written, or a reason for each node that would run."""
    if as_json:
        out().print_json(json_text(_plan_fields(prepared)))
        return
    from rich.table import Table

    table = Table(title=f"Plan of {prepared.study.name}", title_justify="left", header_style="bold")
    for column in ("node", "variants", "cached", "to run", "why"):
        table.add_column(column, justify="right" if column in ("variants", "cached", "to run") else "left")
    for name, actions in _by_name(prepared).items():
        run = [action for action in actions if action.state is State.RUN]
        cached = sum(action.state is State.CACHED for action in actions)
        reasons = _reasons(prepared, run[:1]) if run else {}
        shown = _shortened([change for changes in reasons.values() for change in changes])
        if not run and cached < len(actions):
            shown = "[dim]not needed: everything below it is cached[/]"
        table.add_row(name, str(len(actions)), str(cached or "-"), f"[bold]{len(run)}[/]" if run else "-", shown)
    out().print(table)
    if prepared.search is not None:
        out().print(escaped(prepared.search.left))
    for line in other_versions(prepared):
        out().print(line)
    for place in unseen(prepared):
        out().print(f"[yellow]unseen[/] {escaped(place)} [dim]({UNLESS_SEEN})[/]", soft_wrap=True)
    show_namesake(prepared)
    if why:
        _show_why(prepared)


def _by_name(prepared: Prepared) -> dict[str, list[Action]]:
    found: dict[str, list[Action]] = {}
    names = [*prepared.study.pipeline, "records", *prepared.study.collect]
    for name in names:
        found[name] = []
    for action in prepared.plan.actions:
        found.setdefault(action.node.title, []).append(action)
    return {name: actions for name, actions in found.items() if actions}


def _reasons(prepared: Prepared, actions: Sequence[Action]) -> Mapping[str, tuple[Change, ...]]:
    return {
        action.node.label(): why(action, earlier_result(prepared.store, prepared.history, action.node))
        for action in actions
    }


def _shortened(changes: Sequence[Change], most: int = 2) -> str:
    texts = [escaped(str(change)) for change in changes[:most]]
    return "; ".join(texts) + (f"; and {len(changes) - most} more" if len(changes) > most else "")


def _show_why(prepared: Prepared) -> None:
    for name, actions in _by_name(prepared).items():
        run = [action for action in actions if action.state is State.RUN]
        alike: dict[tuple[str, ...], list[str]] = {}
        for label, changes in _reasons(prepared, run).items():
            alike.setdefault(tuple(map(str, changes)), []).append(label)
        for texts, labels in alike.items():
            head = labels[0] if len(labels) == 1 else f"{name} ({len(labels)} variants)"
            out().print(f"[bold]{escaped(head)}[/]")
            for text in texts[:MOST_CHANGES]:
                out().print(f"    {escaped(text)}", soft_wrap=True)
            if len(texts) > MOST_CHANGES:
                out().print(f"    and {len(texts) - MOST_CHANGES} more: --json shows all")


def _plan_fields(prepared: Prepared) -> dict[str, object]:
    run = [action for action in prepared.plan.actions if action.state is State.RUN]
    reasons = _reasons(prepared, run)
    return {
        "study": prepared.study.name,
        "unseen": unseen(prepared),
        "nodes": [
            {
                "node": action.node.title,
                "label": action.node.label(),
                "params": dict(action.node.params),
                "fingerprint": action.node.fingerprint,
                "state": action.state,
                "why": [
                    {"kind": change.kind, "what": change.what, "old": change.old, "new": change.new}
                    for change in reasons.get(action.node.label(), ())
                ],
            }
            for action in prepared.plan.actions
        ],
    }


def other_versions(prepared: Prepared) -> list[str]:
    """A line for each package of which cached results were made with another version than is installed."""
    from etude.graph.versions import version_of

    made_with: dict[str, set[str]] = {}
    for action in prepared.plan.actions:
        packages = action.manifest.provenance.get("packages") if isinstance(action.manifest, Manifest) else None
        if isinstance(packages, Mapping):
            for package, version in packages.items():
                made_with.setdefault(str(package), set()).add(str(version))
    lines = []
    for package, versions in sorted(made_with.items()):
        others = versions - {version_of(package)}
        if others:
            made = ", ".join(sorted(others))
            text = f"cached results were made with {package} {made}; installed is {version_of(package)}"
            lines.append(f"[yellow]note[/] {text} [dim](`pin: \\[{package}]` on a node makes the version count)[/]")
    return lines


def unseen(prepared: Prepared) -> list[str]:
    """Places in the steps' code that identity cannot see through."""
    uses = {action.node.step: action.node.use for action in prepared.plan.actions if action.node.use is not None}
    return list(dict.fromkeys(str(place) for use in uses.values() for place in use.symbols.opaque))


def show_namesake(prepared: Prepared) -> None:
    """Say so where another file holds a study of the same name, for they write to the same places."""
    from pathlib import Path

    other, here = prepared.history.file, prepared.study.file
    if here is not None and other not in ("", str(here)) and Path(other).exists() and not here.samefile(other):
        text = f"{other} is a study of the same name, {prepared.study.name}: the two share results and history"
        err().print(f"[yellow]note[/] {escaped(text)}", soft_wrap=True)


def show_outcome(result: Result, *, repeated: Sequence[str] = ()) -> int:
    """Print what a run came to and where its files are. Returns the exit code.

    Args:
        result: The run.
        repeated: What of the command line belongs into a command that runs one failed node alone.
    """
    from etude.report.export import export_results, terminal_tables

    summary, prepared = result.summary, result.prepared
    causes = _by_cause(summary.failures)
    for failures in causes[:MOST_FAILURES]:
        _show_failure(failures[0], prepared, repeated)
        if len(failures) > 1:
            others = ", ".join(failure.node.label() for failure in failures[1:4]) + (", …" if len(failures) > 4 else "")
            err().print(f"    for the same reason, {len(failures) - 1} more: {escaped(others)}", soft_wrap=True)
    if len(causes) > MOST_FAILURES:
        more = sum(map(len, causes[MOST_FAILURES:]))
        err().print(f"[red]and {more} more failed:[/] etude show {_file(prepared)} NODE tells of each", soft_wrap=True)
    failed = {failure.node.fingerprint for failure in summary.failures}
    blocked = [fingerprint for fingerprint, because in summary.blocked.items() if because.fingerprint in failed]
    if blocked:
        names = sorted({prepared.plan.by_fingerprint[fingerprint].node.label() for fingerprint in blocked})
        listed = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        err().print(f"[yellow]not run, for what they read failed:[/] {escaped(listed)}")
    for table in () if prepared.partial else terminal_tables(result):
        out().print(table)
    _show_closing(result, () if prepared.partial else export_results(result))
    if summary.interrupted:
        return 130
    return 0 if result.succeeded else 1


def _show_closing(result: Result, exported: Sequence[object]) -> None:
    from etude.cli.searching import search_lines
    from etude.report.export import search_advice
    from etude.study.unrecorded import unrecorded

    summary, prepared = result.summary, result.prepared
    cached = len(prepared.plan.cached)
    for line in search_lines(prepared):
        out().print(line, soft_wrap=True)
    if prepared.search is not None and (advice := search_advice(prepared)):
        out().print(f"[dim]{escaped(advice)}[/]", soft_wrap=True)
    if not result.run:
        out().print(f"[green]nothing to do:[/] all {cached} results are there")
    else:
        word = (
            "[yellow]stopped[/]"
            if summary.interrupted
            else ("[green]done[/]" if result.succeeded else "[red]failed[/]")
        )
        out().print(f"{word} in {readable_seconds(result.wall_s)}: {', '.join(_counts(result))}")
    for line in observed_lines(summary.observed.values()):
        out().print(line, soft_wrap=True)
    if found := unrecorded(prepared):
        told = "; ".join(
            f"{name} ({', '.join(number or 'one number' for number in found[name][:4])})" for name in found
        )
        mend = "return them by name: -> dict[str, float], or a dataclass of numbers"
        out().print(f"[yellow]note[/] numbers in no record: {escaped(told)} [dim]({mend})[/]", soft_wrap=True)
    if summary.interrupted:
        out().print("run the same command again to go on")
    if prepared.partial:
        file = escaped(_file(prepared))
        out().print(
            f"[dim]tables and records are written by a run of all variants: etude run {file}[/]", soft_wrap=True
        )
    elif exported:
        out().print(f"results: {escaped(str(prepared.workplace.results))}/", soft_wrap=True)
        out().print(escaped("  " + "  ".join(str(name) for name in exported)), soft_wrap=True)


def observed_lines(observed: Iterable[tuple[Node, Mapping[str, str]]]) -> list[str]:
    """What steps touched when they ran and the plan did not know, a line for each node as written."""
    by_name: dict[str, dict[str, str]] = {}
    for node, things in observed:
        by_name.setdefault(node.title, {}).update(things)
    lines = []
    for name, things in by_name.items():
        chance = unseeded(things)
        if chance:
            text = f"{name} draws from {', '.join(chance)} without seeding it: not deterministic"
            lines.append(f"[yellow]by chance[/] {escaped(text)}")
        for compared in (True, False):
            keys = [key for key in things if bool(things[key]) is compared and not key.startswith("random ")]
            if keys:
                more = f" and {len(keys) - MOST_OBSERVED} more" if len(keys) > MOST_OBSERVED else ""
                what = "a change there reruns it" if compared else "a change there is not noticed"
                text = f"{name} used {', '.join(keys[:MOST_OBSERVED])}{more}"
                lines.append(f"[yellow]seen when it ran[/] {escaped(text)} [dim]({what})[/]")
    return lines


def _counts(result: Result) -> list[str]:
    """What became of the nodes, in numbers that add up to all of the plan."""
    summary, plan = result.summary, result.prepared.plan
    parts = [f"{len(summary.computed)} computed", f"{len(summary.reused)} reused", f"{len(plan.cached)} cached"]
    if summary.failures:
        parts.append(f"[red]{len(summary.failures)} failed[/]")
    if summary.stopped:
        parts.append(f"{len(summary.stopped)} stopped at a checkpoint")
    ended = {failure.node.fingerprint for failure in summary.failures} | {node.fingerprint for node in summary.stopped}
    left = {node.fingerprint for node in plan.todo} - summary.computed.keys() - summary.reused.keys() - ended
    if left:
        parts.append(f"{len(left)} not run")
    return parts


def _by_cause(failures: Sequence[Failure]) -> list[list[Failure]]:
    """The failures, those together that where they should run has cost: a pool of jobs that cannot run any node."""
    causes: dict[object, list[Failure]] = {}
    for failure in failures:
        outcome = failure.outcome
        shared = outcome.status == "lost" and not outcome.again and not outcome.log
        causes.setdefault(outcome.error if shared else failure.node.fingerprint, []).append(failure)
    return list(causes.values())


def _show_failure(failure: Failure, prepared: Prepared, repeated: Sequence[str]) -> None:
    from textwrap import indent

    from rich.text import Text

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


def _alone(node: Node, prepared: Prepared, repeated: Sequence[str]) -> str:
    """The command that runs one node, in a form that a shell takes."""
    from shlex import join

    only = [word for name, value in node.params.items() for word in ("--only-variant", f"{name}={text_of(value)}")]
    return join(["etude", "run", _file(prepared), *repeated, "--until", node.name, *only, "--on", "inline"])


def _file(prepared: Prepared) -> str:
    return str(prepared.study.file or prepared.study.name)
