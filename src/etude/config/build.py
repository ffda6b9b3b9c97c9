"""A study's values from a plain tree, and every fault that the tree alone can show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from etude.config.consistency import axis_faults, reference_faults
from etude.config.schema import STUDY
from etude.config.search import search_faults, search_of
from etude.errors import Fault
from etude.keys import spec_of
from etude.study.study import NAME_RULE, STUDY_NAME, NodeSpec, Study, Vary

UNKNOWN_STEP: Final = ""
"""The step of a node whose step is faulty: the fault is told here, so later checks pass such a node over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A study made of the valid parts of a tree, and what is wrong with the rest."""

    study: Study
    faults: tuple[Fault, ...]


def build(tree: Mapping[str, object], *, name: str) -> Built:
    """The study in this tree; named `name` where it does not say."""
    faults: list[Fault] = []
    read: Any = STUDY.read(tree, "", faults)
    study = spec_of(
        Study,
        read,
        name=read.get("name", name),
        pipeline=_nodes(read.get("pipeline", {}), tree.get("pipeline")),
        collect=_nodes(read.get("collect", {}), tree.get("collect")),
        vary=_vary(read.get("vary", {}), read.get("params", {}), faults),
        secrets=tuple(
            variable
            for variable, binding in read.get("env", {}).items()
            if isinstance(binding, dict) and binding.get("secret")
        ),
    )
    if tree.get("pipeline") in (None, {}):
        mend = "add `pipeline:` with a node, as in `raw: {step: text.load}`"
        faults.append(Fault(path="pipeline", reason="a study needs a pipeline of one node or more", mend=mend))
    if tree.get("name") is None and not re.fullmatch(STUDY_NAME, name):
        reason = f"the file's name is none for a study: expected {NAME_RULE}"
        faults.append(Fault(path="name", value=name, reason=reason, mend="add `name:`, or rename the file"))
    faults += axis_faults(study, tree)
    if search := read.get("vary", {}).get("search"):
        faults += search_faults(study, tree, search)
    faults += reference_faults(study, tree)
    return Built(study=study, faults=tuple(faults))


def _nodes(read: Mapping[str, Mapping[str, Any]], written: object) -> dict[str, NodeSpec]:
    """Every node that is written, those that could not be read with nothing but their names."""
    names = written if isinstance(written, Mapping) else {}
    return {name: spec_of(NodeSpec, {"step": UNKNOWN_STEP, **read.get(name, {})}, name=name) for name in names}


def _vary(read: Mapping[str, Any], params: Mapping[str, object], faults: list[Fault]) -> Vary:
    search = read.get("search")
    return spec_of(Vary, read, search=search_of(search, params, faults) if search else None)
