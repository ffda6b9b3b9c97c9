"""The layers of a study, laid on one another in order: file, profile, environment, `--set`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from etude.config.build import build
from etude.config.document import SUFFIXES, failure, file_text
from etude.config.extends import load_plain
from etude.config.form import QUICK, LayerChange, set_word
from etude.config.jsonnet import JsonnetTree
from etude.config.overrides import (
    FILE_ONLY,
    Override,
    apply,
    binding_faults,
    check_target,
    check_value,
    override_of,
    parse_override,
)
from etude.config.schema import PROFILE
from etude.config.study_tree import PlainTree, StudyTree, leaves, overlay
from etude.errors import ConfigError, Fault, nearest
from etude.study.study import SourceLine

_WHOLE: Final = ""


@dataclass(slots=True, kw_only=True)
class Layers:
    """A study with what has been laid on it so far, where each part stands, and what was wrong."""

    study_tree: StudyTree
    lines: dict[str, SourceLine]
    faults: list[Fault] = field(default_factory=list)
    origin: dict[str, str] = field(default_factory=dict)
    changes: list[LayerChange] = field(default_factory=list)
    """What layers over the file have changed."""

    def tree(self) -> dict[str, object]:
        """The whole study as it stands."""
        tree = self.study_tree.value(())
        assert isinstance(tree, dict)
        return tree

    def profiles(self) -> dict[str, Mapping[str, object]]:
        """The profiles that are mappings; the check of the whole study tells of others."""
        written = self.study_tree.value(("profiles",))
        mapping = written if isinstance(written, Mapping) else {}
        return {name: data for name, data in mapping.items() if isinstance(data, Mapping)}

    def came(self, paths: Sequence[str], source: str) -> None:
        """Note where the values at these places came from: from outside of any file."""
        for path in paths:
            for stale in [known for known in self.lines if known == path or known.startswith(path + ".")]:
                del self.lines[stale]
            self.lines[path] = SourceLine(file=source)
            self.origin[path] = source


def file_layers(path: Path) -> Layers:
    """The file itself, as the first layer.

    Raises:
        ConfigError: It cannot be read.
    """
    if path.suffix == ".jsonnet":
        return _jsonnet_layers(path)
    if path.suffix not in SUFFIXES:
        file_text(path)
        mend = f"known: {', '.join(SUFFIXES)}"
        raise failure(f"a file that ends in {path.suffix!r} is no study", file=str(path), mend=mend)
    document = load_plain(path)
    assert isinstance(document.tree, dict)
    study_tree = PlainTree(document.tree, document.files)
    return Layers(study_tree=study_tree, lines=dict(document.lines), faults=list(document.faults))


def _jsonnet_layers(path: Path) -> Layers:
    study_tree = JsonnetTree(path)
    if study_tree.look(("extends",)).kind != "missing":
        mend = "write (import 'base.jsonnet') + {…}"
        raise failure("Jsonnet files extend by import", file=str(path), path="extends", mend=mend)
    return Layers(study_tree=study_tree, lines={_WHOLE: SourceLine(file=str(path))})


def lay_profile(layers: Layers, name: str | None) -> None:
    """Lay the chosen profile over the file; a fault where there is none of that name."""
    if name is None:
        return
    profiles = layers.profiles()
    if name not in profiles:
        reason, mend = f"no profile is called {name!r}", nearest(name, profiles)
        if name == QUICK:
            mend = "add `profiles: {quick: …}` with few rows and one epoch, for a trial in seconds"
        layers.faults.append(Fault(path="profiles", reason=reason, mend=mend, file="--profile"))
        return
    data, misfits = fitting(layers.study_tree, name, profiles[name])
    layers.faults += misfits
    overlay(layers.study_tree, data)
    prefix = f"profiles.{name}."
    layers.lines |= {path.removeprefix(prefix): line for path, line in layers.lines.items() if path.startswith(prefix)}
    paths = tuple(".".join(path) for path in leaves(data) if path)
    layers.origin |= dict.fromkeys(paths, f"profile {name}")
    layers.changes.append(LayerChange(layer=0, path=(), word=name, paths=paths))
    if "name" in data:
        layers.changes.append(LayerChange(layer=0, path=("name",), word=name, paths=("name",)))


def lay_environment(layers: Layers, environment: Mapping[str, str]) -> None:
    """Set what the study's `env` binds to variables of the environment. An empty variable is as good as none."""
    bindings = layers.study_tree.value(("env",))
    if layers.study_tree.look(("params",)).kind in ("list", "value"):
        return  # the fault of params itself says enough
    for variable, declaration in bindings.items() if isinstance(bindings, Mapping) else ():
        binding = declaration if isinstance(declaration, Mapping) else {"sets": declaration}
        layers.faults += binding_faults(variable, declaration)
        target = binding.get("sets")
        if not isinstance(target, str):
            continue
        source = f"env {variable}"
        try:
            check_target(layers.study_tree, Override(source=source, target=target))
        except ConfigError as error:
            path = f"env.{variable}" if binding is not declaration else f"env.{variable}.sets"
            layers.faults += [replace(fault, path=path, value=target, file="") for fault in error.faults]
            continue
        if text := environment.get(variable, ""):
            try:
                override = override_of(source, target, text)
                check_value(override, binding.get("one_of"))
                _lay(layers, override, layer=1)
            except ConfigError as error:
                layers.faults += error.faults


def lay_overrides(layers: Layers, texts: Sequence[str]) -> None:
    """Set what `--set` says, in order."""
    for text in texts:
        try:
            _lay(layers, parse_override(text))
        except ConfigError as error:
            layers.faults += error.faults


def _lay(layers: Layers, override: Override, layer: int = 2) -> None:
    path = check_target(layers.study_tree, override)
    paths = apply(layers.study_tree, override)
    layers.came(paths, override.source)
    layers.changes.append(
        LayerChange(layer=layer, path=path, word=set_word(path, override.value, removes=override.removes), paths=paths)
    )


def fitting(study_tree: StudyTree, name: str, data: Mapping[str, object]) -> tuple[dict[str, object], list[Fault]]:
    """The parts of a profile that fit this study, and why the others do not.

    A profile varies what there is: it may add a node with a step of its own, yet names no param and no node otherwise
    that the study does not have.
    """
    faults: list[Fault] = []
    parts: dict[str, object] = {}
    for part, value in data.items():
        path = f"profiles.{name}.{part}"
        if part not in PROFILE.keys:
            mend = f"write {part} outside of profiles" if part in FILE_ONLY else nearest(part, PROFILE.keys)
            faults.append(Fault(path=path, reason=f"a profile has no key {part!r}", value=value, mend=mend))
        elif part in ("params", "pipeline", "collect") and isinstance(value, Mapping):
            known = study_tree.look((part,)).names
            unknown = [key for key, inner in value.items() if key not in known and not _is_node(part, inner)]
            parts[part] = {key: inner for key, inner in value.items() if key not in unknown}
            what = "param" if part == "params" else f"node of {part}"
            for key in unknown:
                reason = f"no {what} is called {key!r}"
                faults.append(Fault(path=f"{path}.{key}", value=value[key], reason=reason, mend=nearest(key, known)))
        else:
            parts[part] = value
    return parts, faults


def profile_faults(base: Mapping[str, object], name: str, data: Mapping[str, object]) -> Iterator[Fault]:
    """What is wrong with a study under this profile that is right without it."""
    study_tree = PlainTree(base)
    parts, misfits = fitting(study_tree, name, data)
    yield from misfits
    overlay(study_tree, parts)
    without_it = {(fault.path, fault.reason) for fault in build(base, name=name).faults}
    for fault in build(study_tree.tree, name=name).faults:
        if (fault.path, fault.reason) not in without_it:
            if _holds(parts, fault.path):
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
