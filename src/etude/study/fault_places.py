"""Faults of one study from several checks: put in their places, told once, in the order of the files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from etude.errors import Fault
from etude.study.study import SourceLine, Study

_SETTING = re.compile(r"(?P<section>pipeline|collect)\.(?P<node>[^.]+)\.with\.(?P<setting>[^.]+)")
_REFERENCE = re.compile(r"\$\{([^}.]+)")


def locate(faults: Iterable[Fault], study: Study) -> tuple[Fault, ...]:
    """The faults with the file and line of the nearest part of the study around each path.

    One of a setting that refers to a param says where that came from, if not from the file.
    """
    return tuple(_with_origin(_located(fault, study.lines), study) for fault in faults)


def together(earlier: Sequence[Fault], later: Iterable[Fault]) -> tuple[Fault, ...]:
    """Faults of the reader and of a later check of the same study, without the later ones that follow from earlier.

    What the reader finds faulty it leaves out of the study, so a later check may miss it there: its fault at, inside or
    just around such a place says nothing new.
    """
    faulty = [fault.path for fault in earlier if fault.path]
    return (*earlier, *(fault for fault in later if not any(_follows(fault.path, path) for path in faulty)))


def in_order(faults: Iterable[Fault], files: Sequence[Path]) -> tuple[Fault, ...]:
    """Each fault once, by file, then line; what is outside the files comes last."""
    ranks = {str(file): rank for rank, file in enumerate(files)}
    once = {str(fault): fault for fault in faults}
    return tuple(sorted(once.values(), key=lambda fault: (ranks.get(fault.file, len(ranks)), fault.line or 0)))


def _located(fault: Fault, lines: Mapping[str, SourceLine]) -> Fault:
    if fault.file:
        return fault
    path = fault.path
    while path not in lines and path:
        path = path.rpartition(".")[0]
    line = lines.get(path)
    return replace(fault, file=line.file, line=line.line) if line else fault


def _with_origin(fault: Fault, study: Study) -> Fault:
    place = _SETTING.match(fault.path)
    node = getattr(study, place["section"]).get(place["node"]) if place else None
    if place is None or node is None:
        return fault
    setting = node.settings.get(place["setting"])
    names = [name for name in _REFERENCE.findall(str(setting)) if f"params.{name}" in study.origin]
    origins = "".join(f"; {name} comes from {study.origin[f'params.{name}']}" for name in dict.fromkeys(names))
    return replace(fault, reason=f"{fault.reason}{origins}")


def _follows(path: str, faulty: str) -> bool:
    if path == faulty or path.startswith(faulty + "."):
        return True
    return path.count(".") >= 2 and faulty.startswith(path + ".")
