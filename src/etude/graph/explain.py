"""Why a node runs: what differs between the identity that it has now and the one its last result was made with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from etude.graph.node import Node
from etude.graph.plan import Action, Cause, State
from etude.identity.code import explain_code
from etude.identity.difference import differences
from etude.store.files.manifest import Manifest


class ReasonKind(StrEnum):
    """What sort of thing differs."""

    MISSING = "missing"
    """There is no earlier result to compare with."""
    STEP = "step"
    SETTING = "setting"
    FILE = "file"
    SYMBOL = "symbol"
    CODE = "code"
    """Whether and how the code counts (`code:` of a node)."""
    VERSION = "version"
    UPSTREAM = "upstream"
    DAMAGED = "damaged"
    FORCED = "forced"
    OBSERVED = "observed"
    """What the step touched when it ran, and no plan knows."""
    GONE = "gone"
    """The result was made before and is no longer in the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One thing that differs."""

    kind: ReasonKind
    what: str
    """The setting's key, the symbol, the input."""
    old: str = ""
    new: str = ""

    def __str__(self) -> str:
        match self.kind:
            case ReasonKind.MISSING:
                return "never computed"
            case ReasonKind.GONE:
                return "its result is no longer in the store"
            case ReasonKind.FORCED:
                return "asked for"
            case ReasonKind.DAMAGED:
                return f"stored result damaged: {self.what}"
            case ReasonKind.OBSERVED:
                return f"{self.what} (seen when it ran)"
            case _ if self.old or self.new:
                return f"{self.kind} {self.what}: {self.old or 'absent'} → {self.new or 'absent'}"
            case _:
                return f"{self.kind} {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """The last result of a node: what it was made with."""

    fingerprint: str
    identity: Mapping[str, object]
    symbols: Mapping[str, str]


def why(action: Action, earlier: Earlier | None) -> tuple[Reason, ...]:
    """The reasons why a node runs; empty for one that does not.

    Args:
        action: What the plan means to do.
        earlier: What the node's last result was made with, where one is known.
    """
    if action.state is not State.RUN:
        return ()
    if action.cause is Cause.FORCED:
        return (Reason(kind=ReasonKind.FORCED, what=""),)
    if action.cause is Cause.DAMAGED:
        return (Reason(kind=ReasonKind.DAMAGED, what=action.detail),)
    if action.cause is Cause.OBSERVED:
        return (Reason(kind=ReasonKind.OBSERVED, what=action.detail),)
    if action.cause is Cause.UPSTREAM:
        return (Reason(kind=ReasonKind.UPSTREAM, what=action.detail),)
    if earlier is None:
        return (Reason(kind=ReasonKind.MISSING, what=""),)
    if earlier.fingerprint == action.node.fingerprint:
        return (Reason(kind=ReasonKind.GONE, what=""),)
    return changes(action.node, earlier) or (Reason(kind=ReasonKind.MISSING, what=""),)


def changes(node: Node, earlier: Earlier) -> tuple[Reason, ...]:
    """What differs between a planned node and an earlier result."""
    old, new = earlier.identity, node.identity()
    found: list[Reason] = []
    if old.get("step") != new["step"]:
        found.append(Reason(kind=ReasonKind.STEP, what="", old=str(old.get("step")), new=str(new["step"])))
    settings = str(old.get("settings") or "")
    for difference in differences(settings, node.settings_text) if settings and node.settings_text else ():
        setting, inside, _ = difference.path.partition(".content")
        if inside:
            found.append(Reason(kind=ReasonKind.FILE, what=f"{setting} has other content"))
        else:
            found.append(
                Reason(kind=ReasonKind.SETTING, what=setting, old=difference.old or "", new=difference.new or "")
            )
    if old.get("code") != new["code"]:
        found.extend(_code_changes(node, earlier))
    if old.get("pins", []) != new["pins"]:
        found.append(Reason(kind=ReasonKind.VERSION, what="pinned", old=_text(old.get("pins")), new=_text(new["pins"])))
    found.extend(_input_changes(_mapping(old.get("inputs")), _mapping(new["inputs"])))
    return tuple(found)


def _code_changes(node: Node, earlier: Earlier) -> list[Reason]:
    old, new = _tracking(str(earlier.identity.get("code"))), _tracking(node.code)
    if old != new:
        return [Reason(kind=ReasonKind.CODE, what="tracking", old=old, new=new)]
    if node.use is None or not earlier.symbols:
        return [
            Reason(kind=ReasonKind.SYMBOL, what="code", old=str(earlier.identity.get("code"))[:12], new=node.code[:12])
        ]
    told = explain_code(earlier.symbols, node.use.symbols.symbols)
    found = [Reason(kind=ReasonKind.SYMBOL, what=f"{name} changed") for name in told.changed]
    found += [Reason(kind=ReasonKind.SYMBOL, what=f"{name} is new") for name in told.added]
    return found + [Reason(kind=ReasonKind.SYMBOL, what=f"{name} is gone") for name in told.removed]


def _tracking(code: str) -> str:
    return code if code == "ignore" or code.startswith("version:") else "track"


def _input_changes(old: Mapping[str, object], new: Mapping[str, object]) -> list[Reason]:
    found = []
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            known = name in old and name in new
            text = f"{name} is made anew" if known else f"{name} is {'new' if name in new else 'gone'}"
            found.append(Reason(kind=ReasonKind.UPSTREAM, what=text))
    return found


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value or "")


def earlier_of(manifest: Manifest, symbols: Mapping[str, str]) -> Earlier:
    """What a stored result was made with."""
    return Earlier(fingerprint=manifest.fingerprint, identity=manifest.identity, symbols=symbols)
