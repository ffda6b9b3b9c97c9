"""The study that a command is about: read from its file, laid out and planned."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from etude.cli.console import err, escape
from etude.cluster.profile import Profile
from etude.config.cluster import read_profile
from etude.config.document import SUFFIXES, project_of
from etude.config.form import QUICK
from etude.config.load import load_study, read_study
from etude.environment import variables, variables_copy
from etude.errors import ConfigError, Fault, nearest
from etude.study.prepare import Options, PreparedStudy, prepare
from etude.study.study import Study


def load(file: Path, overrides: Sequence[str] | None, profile: str | None) -> Study:
    """The study of a file, with what the environment and the command line say of it."""
    return load_study(file, overrides=overrides or (), profile=profile, environment=variables())


def prepare_file(
    file: Path, overrides: Sequence[str] | None = None, profile: str | None = None, options: Options | None = None
) -> PreparedStudy:
    """A study laid out and planned, all its faults told together.

    Raises:
        ConfigError: The study is faulty.
    """
    reading = read_study(file, overrides=overrides or (), profile=profile, environment=variables())
    if reading.study is None:
        raise ConfigError(reading.faults)
    folder, project = file.resolve().parent, reading.study.project

    def other_study(name: str) -> Study:
        return load_study(find_study(name, folder, project), project=project)

    options = options or Options()
    options = replace(options, environment=options.environment or variables_copy())
    with _without_collecting_garbage():
        return prepare(reading.study, options, faults=reading.faults, other_study=other_study)


@contextmanager
def _without_collecting_garbage() -> Iterator[None]:
    """Look for no garbage while code is read: hardly any of its many small objects is, and looking costs a seventh."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # nor does a later look have to go through them
        if was_on:
            gc.enable()


def profile_name(profile: str | None, *, quick: bool) -> str | None:
    """The profile that is asked for, by name or as the quick one.

    Raises:
        ConfigError: Both ask for one, and for another.
    """
    if quick and profile not in (None, QUICK):
        raise ConfigError(
            [Fault("--quick", f"is the profile {QUICK!r}, and --profile is another", profile, "leave one out")]
        )
    return QUICK if quick else profile


def cluster_of(on: str | None, study: Path) -> Profile | None:
    """The cluster that `--on` names; None where it names a backend of this machine.

    Raises:
        ConfigError: There is no such profile, or it is faulty.
    """
    return None if on is None or on in ("inline", "processes") else read_profile(on, project_of(study))


def with_backend(overrides: Sequence[str] | None, on: str | None, cluster: Profile | None) -> list[str]:
    """The overrides, with the backend of this machine that `--on` names among them."""
    return [*(overrides or ()), *([f"place.backend={on}"] if on and cluster is None else [])]


def find_study(name: str, folder: Path, project: Path) -> Path:
    """The file of a study that another names, by its file or by its `name:`: beside it, or under `studies`.

    Raises:
        ConfigError: There is none, or several studies have that name.
    """
    places = [folder, project, project / "studies"]
    for place in places:
        for suffix in ("", *SUFFIXES):
            if (path := place / f"{name}{suffix}").is_file():
                return path
    files = {path.resolve(): path for place in places for path in sorted(place.glob("*")) if path.suffix in SUFFIXES}
    names = {path: study_name for path in files.values() if (study_name := _study_name(path))}
    meant = [path for path, study_name in names.items() if study_name == name]
    if len(meant) == 1:
        return meant[0]
    if meant:
        reason = f"{len(meant)} studies are called {name!r}: {', '.join(map(str, meant))}"
        raise ConfigError([Fault("", reason, name, "name its file, without the ending")])
    spellings = {path.stem for path in names} | set(names.values())
    raise ConfigError(
        [Fault("", f"there is no study {name!r} beside this one or under studies/", name, nearest(name, spellings))]
    )


def _study_name(path: Path) -> str | None:
    """What the study in a file is called; None where the file holds no study."""
    study = read_study(path).study
    return study.name if study is not None and study.pipeline else None


def show_namesake(prepared: PreparedStudy) -> None:
    """Say so where another file holds a study of the same name, for they write to the same places."""
    other, here = prepared.history.file, prepared.study.file
    if here is not None and other not in ("", str(here)) and Path(other).exists() and not here.samefile(other):
        text = f"{other} is a study of the same name, {prepared.study.name}: the two share results and history"
        err().print(f"[yellow]note[/] {escape(text)}", soft_wrap=True)
