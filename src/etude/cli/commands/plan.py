"""`etude plan`: what would run, what is there already, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from etude.cli.arguments import AsJson, Only, Profile, Quick, Rerun, Set, StudyFile, Until, assignments
from etude.cli.console import escape, out
from etude.cli.study_file import prepare_file, profile_name, show_namesake
from etude.graph.explain import Reason, why
from etude.graph.pipeline import RECORDS
from etude.graph.plan import Action, State
from etude.graph.versions import version_of
from etude.interchange import json_text
from etude.store.files.manifest import Manifest
from etude.study.accept import earlier_result
from etude.study.prepare import Options, PreparedStudy

EXAMPLES = """
[bold]Examples[/]

  etude plan study.yaml

  etude plan study.yaml --why              [dim](each reason down to the setting or symbol that changed)[/]

  etude plan study.yaml --set epochs=5 --json
"""
MOST_CHANGES = 12
UNLESS_SEEN = "a change there reruns it only if it was seen when the step ran"


def plan(
    study: StudyFile,
    overrides: Set = None,
    profile: Profile = None,
    quick: Quick = False,
    until: Until = None,
    only: Only = None,
    rerun: Rerun = None,
    why: Annotated[bool, typer.Option("--why", help="Show what changed, for every node that would run.")] = False,
    as_json: AsJson = False,
) -> None:
    options = Options(until=tuple(until or ()), only=assignments(only, "--only-variant"), rerun=tuple(rerun or ()))
    show_plan(prepare_file(study, overrides, profile_name(profile, quick=quick), options), why=why, as_json=as_json)


def show_plan(prepared: PreparedStudy, *, why: bool, as_json: bool = False) -> None:
    """Print a plan: a row for each node as written, or a reason for each node that would run."""
    if as_json:
        out().print_json(json_text(_plan_fields(prepared)))
        return
    table = Table(title=f"Plan of {prepared.study.name}", title_justify="left", header_style="bold")
    for column in ("node", "variants", "cached", "to run", "why"):
        table.add_column(column, justify="right" if column in ("variants", "cached", "to run") else "left")
    for name, actions in _by_name(prepared).items():
        run = [action for action in actions if action.state is State.RUN]
        cached = sum(action.state is State.CACHED for action in actions)
        reasons = _reasons(prepared, run[:1]) if run else {}
        shown = _short_text([change for changes in reasons.values() for change in changes])
        if not run and cached < len(actions):
            shown = "[dim]not needed: everything below it is cached[/]"
        table.add_row(name, str(len(actions)), str(cached or "-"), f"[bold]{len(run)}[/]" if run else "-", shown)
    out().print(table)
    if prepared.search is not None:
        out().print(escape(prepared.search.left))
    for line in other_versions(prepared):
        out().print(line)
    for place in opaque_places(prepared):
        out().print(f"[yellow]unseen[/] {escape(place)} [dim]({UNLESS_SEEN})[/]", soft_wrap=True)
    show_namesake(prepared)
    if why:
        show_why(prepared, out())


def _by_name(prepared: PreparedStudy) -> dict[str, list[Action]]:
    by_name: dict[str, list[Action]] = {}
    names = [*prepared.study.pipeline, RECORDS, *prepared.study.collect]
    for name in names:
        by_name[name] = []
    for action in prepared.plan.actions:
        by_name.setdefault(action.node.title, []).append(action)
    return {name: actions for name, actions in by_name.items() if actions}


def _reasons(prepared: PreparedStudy, actions: Sequence[Action]) -> Mapping[str, tuple[Reason, ...]]:
    return {
        action.node.label(): why(action, earlier_result(prepared.store, prepared.history, action.node))
        for action in actions
    }


def _short_text(changes: Sequence[Reason], most: int = 2) -> str:
    texts = [escape(change) for change in changes[:most]]
    return "; ".join(texts) + (f"; and {len(changes) - most} more" if len(changes) > most else "")


def show_why(prepared: PreparedStudy, console: Console) -> None:
    """Print a reason for each node that would run, those together that have the same."""
    for name, actions in _by_name(prepared).items():
        run = [action for action in actions if action.state is State.RUN]
        alike: dict[tuple[str, ...], list[str]] = {}
        for label, changes in _reasons(prepared, run).items():
            alike.setdefault(tuple(map(str, changes)), []).append(label)
        for texts, labels in alike.items():
            head = labels[0] if len(labels) == 1 else f"{name} ({len(labels)} variants)"
            console.print(f"[bold]{escape(head)}[/]")
            for text in texts[:MOST_CHANGES]:
                console.print(f"    {escape(text)}", soft_wrap=True)
            if len(texts) > MOST_CHANGES:
                console.print(f"    and {len(texts) - MOST_CHANGES} more: --json shows all")


def _plan_fields(prepared: PreparedStudy) -> dict[str, object]:
    run = [action for action in prepared.plan.actions if action.state is State.RUN]
    reasons = _reasons(prepared, run)
    return {
        "study": prepared.study.name,
        "unseen": opaque_places(prepared),
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


def other_versions(prepared: PreparedStudy) -> list[str]:
    """A line for each package of which cached results were made with another version than is installed."""
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
            old = ", ".join(sorted(others))
            text = f"cached results were made with {package} {old}; installed is {version_of(package)}"
            lines.append(f"[yellow]note[/] {text} [dim](`pin: \\[{package}]` on a node makes the version count)[/]")
    return lines


def opaque_places(prepared: PreparedStudy) -> list[str]:
    """Places in the steps' code that identity cannot see through."""
    uses = {action.node.step: action.node.use for action in prepared.plan.actions if action.node.use is not None}
    return list(dict.fromkeys(str(place) for use in uses.values() for place in use.symbols.opaque))
