"""The layers of a study, laid on one another in order: file, profile, environment, `--set`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from etude.config.document import SUFFIXES, failure, file_text
from etude.config.draft import Draft, PlainDraft, leaves, overlay
from etude.config.extends import load_plain
from etude.config.form import Change, set_word
from etude.config.overrides import (
    Override,
    apply,
    binding_faults,
    check_allowed,
    check_target,
    override_of,
    parse_override,
)
from etude.config.profiles import fitting
from etude.errors import ConfigError, Fault, nearest
from etude.study.study import Line

_WHOLE: Final = ""


@dataclass(slots=True)
class Layers:
    """A study with what has been laid on it so far, where each part stands, and what was wrong."""

    draft: Draft
    lines: dict[str, Line]
    faults: list[Fault] = field(default_factory=list)
    origin: dict[str, str] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    """What layers over the file have changed."""

    def tree(self) -> dict[str, object]:
        """The whole study as it stands."""
        tree = self.draft.value(())
        assert isinstance(tree, dict)
        return tree

    def profiles(self) -> dict[str, Mapping[str, object]]:
        """The profiles that are mappings; the check of the whole study tells of others."""
        written = self.draft.value(("profiles",))
        found = written if isinstance(written, Mapping) else {}
        return {name: data for name, data in found.items() if isinstance(data, Mapping)}

    def came(self, paths: Sequence[str], source: str) -> None:
        """Note where the values at these places came from: from outside of any file."""
        for path in paths:
            for stale in [known for known in self.lines if known == path or known.startswith(path + ".")]:
                del self.lines[stale]
            self.lines[path] = Line(source)
            self.origin[path] = source


def opened(path: Path) -> Layers:
    """The file itself, as the first layer.

    Raises:
        ConfigError: It cannot be read.
    """
    if path.suffix == ".jsonnet":
        return _opened_jsonnet(path)
    if path.suffix not in SUFFIXES:
        file_text(path)
        mend = f"known: {', '.join(SUFFIXES)}"
        raise failure(f"a file that ends in {path.suffix!r} is no study", file=str(path), mend=mend)
    document = load_plain(path)
    assert isinstance(document.tree, dict)
    draft = PlainDraft(document.tree, document.files)
    return Layers(draft, dict(document.lines), list(document.faults))


def _opened_jsonnet(path: Path) -> Layers:
    from etude.config.jsonnet import JsonnetDraft

    draft = JsonnetDraft(path)
    if draft.look(("extends",)).kind != "missing":
        mend = "write (import 'base.jsonnet') + {…}"
        raise failure("Jsonnet files extend by import", file=str(path), path="extends", mend=mend)
    return Layers(draft, {_WHOLE: Line(str(path))})


def lay_profile(layers: Layers, name: str | None) -> None:
    """Lay the chosen profile over the file; a fault where there is none of that name."""
    if name is None:
        return
    profiles = layers.profiles()
    if name not in profiles:
        reason, mend = f"no profile is called {name!r}", nearest(name, profiles)
        layers.faults.append(Fault(path="profiles", reason=reason, mend=mend, file="--profile"))
        return
    data, misfits = fitting(layers.draft, name, profiles[name])
    layers.faults += misfits
    overlay(layers.draft, data)
    prefix = f"profiles.{name}."
    layers.lines |= {path.removeprefix(prefix): line for path, line in layers.lines.items() if path.startswith(prefix)}
    paths = tuple(".".join(path) for path in leaves(data) if path)
    layers.origin |= dict.fromkeys(paths, f"profile {name}")
    layers.changes.append(Change(0, (), name, paths))
    if "name" in data:
        layers.changes.append(Change(0, ("name",), name, ("name",)))


def lay_environment(layers: Layers, environment: Mapping[str, str]) -> None:
    """Set what the study's `env` binds to variables of the environment. An empty variable is as good as none."""
    bindings = layers.draft.value(("env",))
    if layers.draft.look(("params",)).kind in ("list", "value"):
        return  # the fault of params itself says enough
    for variable, said in bindings.items() if isinstance(bindings, Mapping) else ():
        binding = said if isinstance(said, Mapping) else {"sets": said}
        layers.faults += binding_faults(variable, said)
        target = binding.get("sets")
        if not isinstance(target, str):
            continue
        source = f"env {variable}"
        try:
            check_target(layers.draft, Override(source, target))
        except ConfigError as error:
            path = f"env.{variable}" if binding is not said else f"env.{variable}.sets"
            layers.faults += [replace(fault, path=path, value=target, file="") for fault in error.faults]
            continue
        if text := environment.get(variable, ""):
            try:
                override = override_of(source, target, text)
                check_allowed(override, binding.get("one_of"))
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
    path = check_target(layers.draft, override)
    paths = apply(layers.draft, override)
    layers.came(paths, override.source)
    layers.changes.append(Change(layer, path, set_word(path, override.value, removes=override.removes), paths))
