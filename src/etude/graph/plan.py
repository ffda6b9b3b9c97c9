"""Decides what has to run, what is there already, and why. Pure: it looks at the store and touches nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from etude.graph.node import Made, Node, input_contents
from etude.store.files.manifest import Damaged, Manifest

Inspect = Callable[[str], "Manifest | Damaged | None"]
Differences = Callable[[Mapping[str, str]], str]
"""What of the things that a step touched beyond its plan is different now, in words; empty where nothing is."""


class State(StrEnum):
    """What a plan means to do about a node."""

    CACHED = "cached"
    """Its result is there and is used as it is."""
    RUN = "run"
    """It will be computed."""
    UNNEEDED = "unneeded"
    """Its result is not there, and everything below it is."""


class Cause(StrEnum):
    """Why a node runs."""

    NEW = "new"
    """No result for this identity."""
    UPSTREAM = "upstream"
    """A node that it reads runs, or now gives other bytes than this result was made from."""
    DAMAGED = "damaged"
    """Its stored result does not match its manifest."""
    FORCED = "forced"
    """The user asked for it."""
    OBSERVED = "observed"
    """Something that its step touched when it ran, and that no plan knows, is different now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What a plan means to do about one node, and why."""

    node: Node
    state: State
    cause: Cause | None = None
    detail: str = ""
    manifest: Manifest | None = None
    """Of the stored result, where there is a usable one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every node of a study in an order in which each comes after what it reads."""

    actions: tuple[Action, ...]
    forced: frozenset[str] = frozenset()
    by_fingerprint: Mapping[str, Action] = field(default_factory=dict)

    @property
    def todo(self) -> tuple[Node, ...]:
        """The nodes that will run."""
        return tuple(action.node for action in self.actions if action.state is State.RUN)

    @property
    def cached(self) -> tuple[Node, ...]:
        """The nodes whose results are used as they are."""
        return tuple(action.node for action in self.actions if action.state is State.CACHED)


def topological_order(targets: Iterable[Node]) -> list[Node]:
    """The targets and everything they read, each node once, producers before consumers. Linear; any depth."""
    placed: set[str] = set()
    order: list[Node] = []
    stack = [(node, False) for node in reversed(list(targets))]
    while stack:
        node, read = stack.pop()
        if node.fingerprint in placed:
            continue
        if read:
            placed.add(node.fingerprint)
            order.append(node)
            continue
        stack.append((node, True))
        stack.extend([(other, False) for other in reversed(node.upstream()) if other.fingerprint not in placed])
    return order


def plan(
    targets: Sequence[Node],
    inspect: Inspect,
    *,
    force: Collection[str] = (),
    differences: Differences | None = None,
) -> Plan:
    """Decide for every node that the targets need, themselves included.

    Args:
        targets: The nodes whose results are wanted.
        inspect: Fingerprint → manifest of the stored result, what is wrong with it, or None.
        force: Fingerprints of nodes to run even if their results are there.
        differences: Compares what steps touched beyond their plans with what is there now; None to leave that out.
    """
    order = topological_order(targets)
    found = {node.fingerprint: inspect(node.fingerprint) for node in order}
    made = {fingerprint: Made.of(manifest) for fingerprint, manifest in found.items() if isinstance(manifest, Manifest)}
    stale = _stale(order, found, made, frozenset(force), differences)
    needed = {node.fingerprint for node in targets}
    states = _states(order, found, stale, needed)
    while more := _to_compare(order, states):
        needed |= more
        states = _states(order, found, stale, needed)
    actions = tuple(states[node.fingerprint] for node in order)
    return Plan(
        actions=actions, forced=frozenset(force), by_fingerprint={action.node.fingerprint: action for action in actions}
    )


def _states(
    order: Sequence[Node],
    found: Mapping[str, Manifest | Damaged | None],
    stale: Mapping[str, tuple[Cause, str]],
    wanted: Collection[str],
) -> dict[str, Action]:
    """What is to be done about each node, from the ends of the graph backwards."""
    needed = set(wanted)
    states: dict[str, Action] = {}
    for node in reversed(order):
        action = _action(node, found[node.fingerprint], stale.get(node.fingerprint), node.fingerprint in needed)
        states[node.fingerprint] = action
        if action.state is State.RUN:
            needed.update([other.fingerprint for other in node.upstream()])
    return states


def _to_compare(order: Sequence[Node], states: Mapping[str, Action]) -> set[str]:
    """Missing results without which a stored one below them cannot be judged anew.

    A stored result that reads a node that runs is looked at again when that is done; then all that it reads must be
    there.
    """
    if all(action.state is not State.UNNEEDED for action in states.values()):
        return set()
    moving: set[str] = set()
    missing: set[str] = set()
    for node in order:
        state = states[node.fingerprint].state
        above = [other.fingerprint for other in node.upstream()]
        if state is State.RUN or (state is State.CACHED and any(other in moving for other in above)):
            moving.add(node.fingerprint)
            if state is State.CACHED:
                missing.update(other for other in above if states[other].state is State.UNNEEDED)
    return missing


def _stale(
    order: Sequence[Node],
    found: Mapping[str, Manifest | Damaged | None],
    made: Mapping[str, Made],
    force: frozenset[str],
    differences: Differences | None,
) -> dict[str, tuple[Cause, str]]:
    """Nodes with a stored result that must not be used, with the cause."""
    stale: dict[str, tuple[Cause, str]] = {}
    for node in order:
        manifest = found[node.fingerprint]
        if node.fingerprint in force:
            stale[node.fingerprint] = (Cause.FORCED, "asked for")
        elif not isinstance(manifest, Manifest):
            continue
        elif manifest.observed and differences is not None and (what := differences(manifest.observed)):
            stale[node.fingerprint] = (Cause.OBSERVED, what)
        else:
            contents = input_contents(node, made)
            if contents is not None and contents != manifest.inputs:
                changed = sorted(name for name in contents if contents[name] != manifest.inputs.get(name))
                stale[node.fingerprint] = (Cause.UPSTREAM, f"{', '.join(changed)} has other content now")
    return stale


def _action(node: Node, found: Manifest | Damaged | None, stale: tuple[Cause, str] | None, needed: bool) -> Action:
    if stale is not None and (needed or stale[0] in (Cause.FORCED, Cause.OBSERVED)):
        return Action(node=node, state=State.RUN, cause=stale[0], detail=stale[1])
    if isinstance(found, Manifest) and stale is None:
        return Action(node=node, state=State.CACHED, manifest=found)
    if not needed:
        return Action(node=node, state=State.UNNEEDED)
    if isinstance(found, Damaged):
        return Action(node=node, state=State.RUN, cause=Cause.DAMAGED, detail=found.reason)
    return Action(node=node, state=State.RUN, cause=Cause.NEW)
