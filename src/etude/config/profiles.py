"""Profiles: named variations of a study. Those that are not chosen are checked as well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from etude.config.build import build
from etude.config.draft import Draft, PlainDraft, overlay
from etude.config.overrides import FILE_ONLY
from etude.config.schema import PROFILE
from etude.errors import Fault, nearest


def fitting(draft: Draft, name: str, data: Mapping[str, object]) -> tuple[dict[str, object], list[Fault]]:
    """The parts of a profile that fit this study, and why the others do not.

    A profile varies what there is: it may add a node with a step of its own, yet names no param and no node otherwise
    that the study does not have.
    """
    faults: list[Fault] = []
    kept: dict[str, object] = {}
    for part, value in data.items():
        path = f"profiles.{name}.{part}"
        if part not in PROFILE.keys:
            mend = f"write {part} outside of profiles" if part in FILE_ONLY else nearest(part, PROFILE.keys)
            faults.append(Fault(path=path, reason=f"a profile has no key {part!r}", value=value, mend=mend))
        elif part in ("params", "pipeline", "collect") and isinstance(value, Mapping):
            known = draft.look((part,)).names
            unknown = [key for key, inner in value.items() if key not in known and not _is_node(part, inner)]
            kept[part] = {key: inner for key, inner in value.items() if key not in unknown}
            what = "param" if part == "params" else f"node of {part}"
            for key in unknown:
                reason = f"no {what} is called {key!r}"
                faults.append(Fault(path=f"{path}.{key}", value=value[key], reason=reason, mend=nearest(key, known)))
        else:
            kept[part] = value
    return kept, faults


def profile_faults(base: Mapping[str, object], name: str, data: Mapping[str, object]) -> Iterator[Fault]:
    """What is wrong with a study under this profile that is right without it."""
    draft = PlainDraft(base)
    kept, misfits = fitting(draft, name, data)
    yield from misfits
    overlay(draft, kept)
    known = {(fault.path, fault.reason) for fault in build(base, name=name).faults}
    for fault in build(draft.tree, name=name).faults:
        if (fault.path, fault.reason) not in known:
            if _holds(kept, fault.path):
                yield replace(fault, path=f"profiles.{name}.{fault.path}")
            else:
                yield replace(fault, reason=f"{fault.reason} (with profile {name})")


def _is_node(part: str, value: object) -> bool:
    return part != "params" and isinstance(value, Mapping) and "step" in value


def _holds(data: object, path: str) -> bool:
    """Whether a profile says something at this place, or right around it."""
    for key in path.split(".")[:-1]:
        if not isinstance(data, Mapping) or key not in data:
            return False
        data = data[key]
    return True
