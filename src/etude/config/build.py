"""A study's values from a plain tree, and every fault that the tree alone can show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from etude.config.axes import axis_faults
from etude.config.references import reference_faults
from etude.config.schema import NAME_RULE, STUDY, STUDY_NAME
from etude.config.search import search_faults, search_of
from etude.config.sources import sources_of
from etude.errors import Fault
from etude.study.study import Metering, Needs, NodeSpec, Place, Study, Top, Tracker, Vary

UNKNOWN_STEP: Final = ""
"""The step of a node whose step is faulty: the fault is told here, so later checks pass such a node over."""


@dataclass(frozen=True, slots=True)
class Built:
    """A study made of the valid parts of a tree, and what is wrong with the rest."""

    study: Study
    faults: tuple[Fault, ...]


def build(tree: Mapping[str, object], *, name: str) -> Built:
    """The study in this tree; named `name` where it does not say."""
    faults: list[Fault] = []
    read: Any = STUDY.read(tree, "", faults)
    study = Study(
        name=read.get("name", name),
        description=read.get("description", ""),
        params=read.get("params", {}),
        pipeline=_nodes(read.get("pipeline", {}), tree.get("pipeline")),
        collect=_nodes(read.get("collect", {}), tree.get("collect")),
        vary=_vary(read.get("vary", {}), read.get("params", {}), faults),
        place=_place(read.get("place", {})),
        secrets=tuple(
            name for name, said in read.get("env", {}).items() if isinstance(said, dict) and said.get("secret")
        ),
    )
    if tree.get("pipeline") in (None, {}):
        mend = "add `pipeline:` with a node, as in `raw: {step: text.load}`"
        faults.append(Fault(path="pipeline", reason="a study needs a pipeline of one node or more", mend=mend))
    if tree.get("name") is None and not re.fullmatch(STUDY_NAME, name):
        reason = f"the file's name is none for a study: expected {NAME_RULE}"
        faults.append(Fault(path="name", value=name, reason=reason, mend="add `name:`, or rename the file"))
    faults += axis_faults(study, tree)
    if said := read.get("vary", {}).get("search"):
        faults += search_faults(study, tree, said)
    faults += reference_faults(study, tree)
    return Built(study, tuple(faults))


def _secrets(read: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name, said in read.items() if isinstance(said, Mapping) and said.get("secret"))


def _nodes(read: Mapping[str, Mapping[str, Any]], written: object) -> dict[str, NodeSpec]:
    """Every node that is written, those that could not be read with nothing but their names."""
    names = written if isinstance(written, Mapping) else {}
    return {name: _node(name, read.get(name, {})) for name in names}


def _node(name: str, read: Mapping[str, Any]) -> NodeSpec:
    return NodeSpec(
        name=name,
        step=read.get("step", UNKNOWN_STEP),
        sources=sources_of(read.get("from")),
        settings=read.get("with", {}),
        needs=_needs(read.get("on", {})),
        pin=tuple(read.get("pin", ())),
        code=read.get("code", "track"),
    )


def _needs(read: str | Mapping[str, Any]) -> Needs:
    if isinstance(read, str):
        return Needs(login=True)
    named = {"memory": "memory_bytes", "walltime": "walltime_s"}
    return Needs(**{named.get(key, key): value for key, value in read.items()})


def _vary(read: Mapping[str, Any], params: Mapping[str, object], faults: list[Fault]) -> Vary:
    top, search = read.get("top"), read.get("search")
    return Vary(
        grid={param: tuple(values) for param, values in read.get("grid", {}).items()},
        points=tuple(read.get("list", ())),
        repeat={param: tuple(values) for param, values in read.get("repeat", {}).items()},
        top=Top(**top) if top and {"of", "by", "k"} <= top.keys() else None,
        search=search_of(search, params, faults) if search else None,
    )


def _place(read: Mapping[str, Any]) -> Place:
    plain = {
        "memory_bytes" if key == "memory" else key: value
        for key, value in read.items()
        if key not in ("meter", "track")
    }
    meter: dict[str, Any] = dict(read.get("meter", {}))
    return Place(
        **plain,
        meter=Metering(**{**meter, "beside": tuple(meter.get("beside", ()))}),
        track=tuple(tracker for said in read.get("track", ()) for tracker in _trackers(said)),
    )


def _trackers(said: str | Mapping[str, Mapping[str, str]]) -> list[Tracker]:
    return [Tracker(said)] if isinstance(said, str) else [Tracker(name, given) for name, given in said.items()]
