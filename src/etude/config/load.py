"""From a study file to a Study: file < profile < environment < `--set`, and every fault at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from etude.config.build import build
from etude.config.exposed import exposed
from etude.config.form import form_of
from etude.config.layers import Layers, lay_environment, lay_overrides, lay_profile, opened
from etude.config.profiles import profile_faults
from etude.config.project import project_of
from etude.errors import ConfigError, Fault
from etude.redaction import Redactor, marked
from etude.study.faults import in_order, located
from etude.study.study import PlaceSettings, Study

_NO_ENVIRONMENT: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of reading a study file."""

    study: Study | None
    """The study, made of the valid parts; None where nothing could be read. Not to be run if there are faults."""
    faults: tuple[Fault, ...]
    """Everything that is wrong, in the order of the file."""


def load_study(
    path: Path,
    *,
    overrides: Sequence[str] = (),
    profile: str | None = None,
    environment: Mapping[str, str] = _NO_ENVIRONMENT,
    project: Path | None = None,
) -> Study:
    """The study in a file.

    Args:
        path: A .yaml, .yml, .json or .jsonnet file.
        overrides: What `--set` says, in order: `path=value` or `~path`.
        profile: A profile of the study, laid over it.
        environment: The environment's variables; those that the study declares in `env` are used, no others.
        project: The project's folder; None to find it from the file.

    Raises:
        ConfigError: With every fault that was found.
    """
    reading = read_study(path, overrides=overrides, profile=profile, environment=environment, project=project)
    if reading.faults or reading.study is None:
        raise ConfigError(reading.faults)
    return reading.study


def read_study(
    path: Path,
    *,
    overrides: Sequence[str] = (),
    profile: str | None = None,
    environment: Mapping[str, str] = _NO_ENVIRONMENT,
    project: Path | None = None,
) -> Reading:
    """As `load_study`, with the faults as values: other checks can add theirs before all are shown together."""
    try:
        layers = opened(path)
    except ConfigError as error:
        return Reading(None, error.faults)
    try:
        others = {name: data for name, data in layers.profiles().items() if name != profile}
        base = _as_it_stands(layers) if others or profile or overrides or layers.draft.look(("env",)).names else None
        lay_profile(layers, profile)
        lay_environment(layers, environment)
        lay_overrides(layers, overrides)
        tree = layers.tree()
        built = build(tree, name=path.stem)
        layers.faults += exposed(tree, Redactor.of(marked(environment, built.study.secrets)))
    except ConfigError as error:
        return Reading(None, in_order([*layers.faults, *error.faults], layers.draft.files))
    for name, data in others.items():
        layers.faults += profile_faults(base, name, data) if base is not None else ()
    form = form_of(layers.changes, tree, base)
    study = replace(
        built.study,
        form=form,
        place=_own_results(built.study, form, layers.origin),
        project=(project or project_of(path)).absolute(),
        file=path.absolute(),
        files=tuple(file.absolute() for file in layers.draft.files),
        origin=layers.origin,
        lines=layers.lines,
    )
    return Reading(study, in_order(located([*layers.faults, *built.faults], study), layers.draft.files))


def _own_results(study: Study, form: str, origin: Mapping[str, str]) -> PlaceSettings:
    """The placement with a folder of results for this form, unless one was asked for beside the file."""
    asked = origin.get("place.results", "")
    if not form or asked == f"profile {form}" or (asked and not asked.startswith("profile ")):
        return study.place
    return replace(study.place, results=f"{study.place.results or f'results/{study.name}'}@{form}")


def _as_it_stands(layers: Layers) -> dict[str, object] | None:
    """The study before any layer; None where it needs one to be whole, as a Jsonnet file may with `error`."""
    try:
        return layers.tree()
    except ConfigError:
        return None
