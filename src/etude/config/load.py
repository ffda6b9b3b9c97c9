"""From a study file to a Study: file < profile < environment < `--set`, and every fault at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from etude.config.build import build
from etude.config.document import project_of
from etude.config.form import form_of
from etude.config.layers import Layers, file_layers, lay_environment, lay_overrides, lay_profile, profile_faults
from etude.errors import ConfigError, Fault
from etude.keys import join_path
from etude.redaction import Redactor, with_marks
from etude.study.fault_places import in_order, locate
from etude.study.study import PlaceSettings, Study

_NO_ENVIRONMENT: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
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
        layers = file_layers(path)
    except ConfigError as error:
        return Reading(study=None, faults=error.faults)
    try:
        others = {name: data for name, data in layers.profiles().items() if name != profile}
        layered = others or profile or overrides or layers.study_tree.look(("env",)).names
        base = _as_it_stands(layers) if layered else None
        lay_profile(layers, profile)
        lay_environment(layers, environment)
        lay_overrides(layers, overrides)
        tree = layers.tree()
        built = build(tree, name=path.stem)
        layers.faults += secret_faults(tree, Redactor.of(with_marks(environment, built.study.secrets)))
    except ConfigError as error:
        return Reading(study=None, faults=in_order([*layers.faults, *error.faults], layers.study_tree.files))
    for name, data in others.items():
        layers.faults += profile_faults(base, name, data) if base is not None else ()
    form = form_of(layers.changes, tree, base)
    study = replace(
        built.study,
        form=form,
        place=_own_results(built.study, form, layers.origin, base),
        project=(project or project_of(path)).absolute(),
        file=path.absolute(),
        files=tuple(file.absolute() for file in layers.study_tree.files),
        origin=layers.origin,
        lines=layers.lines,
    )
    return Reading(
        study=study, faults=in_order(locate([*layers.faults, *built.faults], study), layers.study_tree.files)
    )


def _own_results(
    study: Study, form: str, origin: Mapping[str, str], base: Mapping[str, object] | None
) -> PlaceSettings:
    """The placement with a folder of results for this form, unless another was asked for beside the file."""
    asked = origin.get("place.results", "")
    place = base.get("place") if base is not None else None
    of_file = place.get("results") if isinstance(place, Mapping) else None
    same = str(Path(study.place.results or "")) == str(Path(str(of_file or f"results/{study.name}")))
    if not form or (asked == f"profile {form}" and not same) or (asked and not asked.startswith("profile ")):
        return study.place
    return replace(study.place, results=f"{study.place.results or f'results/{study.name}'}@{form}")


def _as_it_stands(layers: Layers) -> dict[str, object] | None:
    """The study before any layer; None where it needs one to be whole, as a Jsonnet file may with `error`."""
    try:
        return layers.tree()
    except ConfigError:
        return None


_MEND = "take it out, and the study's copies with it; put it into the environment, where the tool that needs it looks"


def secret_faults(tree: Mapping[str, object], redact: Redactor) -> Iterator[Fault]:
    """A fault for every text of a study that holds a secret. None of them shows it."""
    for path, text in _texts(tree, ""):
        hidden = redact(text)
        if hidden != text:
            reason = "a study holds no secrets: params and settings are kept beside every result"
            yield Fault(path=redact(path), reason=reason, value=hidden, mend=_MEND)


def _texts(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield join_path(path, str(name)), str(name)
            yield from _texts(inner, join_path(path, str(name)))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, join_path(path, index))
