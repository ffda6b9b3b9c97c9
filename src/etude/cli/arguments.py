"""Arguments and options that several commands take, written once."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from etude.environment import variables, variables_copy

if TYPE_CHECKING:
    from etude.cluster.profile import Profile as ClusterProfile
    from etude.study.prepare import Options, Prepared
    from etude.study.study import Study

StudyFile = Annotated[Path, typer.Argument(help="The study file: YAML, JSON or Jsonnet.", show_default=False)]
Set = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--set", metavar="PATH=VALUE", help="Override a value; a bare name is a param. Repeatable."),
]
Profile = Annotated[Optional[str], typer.Option(help="Use one of the study's profiles.")]  # noqa: UP045
Until = Annotated[Optional[str], typer.Option(metavar="NODE", help="Only this node and what it reads.")]  # noqa: UP045
Only = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--only-variant", metavar="PARAM=VALUE", help="Only the variants with this value. Repeatable."),
]
Rerun = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(metavar="NODE", help="Compute this node again even if its result is there. Repeatable."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")]


def load(file: Path, overrides: Sequence[str] | None, profile: str | None) -> Study:
    """The study of a file, with what the environment and the command line say of it."""
    from etude.config.load import load_study

    return load_study(file, overrides=overrides or (), profile=profile, environment=variables())


def prepared(file: Path, overrides: Sequence[str] | None, profile: str | None, options: Options) -> Prepared:
    """A study laid out and planned, all its faults told together.

    Raises:
        ConfigError: The study is faulty.
    """
    from etude.config.load import load_study, read_study
    from etude.errors import ConfigError
    from etude.study.prepare import prepare

    reading = read_study(file, overrides=overrides or (), profile=profile, environment=variables())
    if reading.study is None:
        raise ConfigError(reading.faults)
    folder, project = file.resolve().parent, reading.study.project

    def other_study(name: str) -> Study:
        return load_study(find_study(name, folder, project), project=project)

    options = replace(options, environment=options.environment or variables_copy())
    with _all_kept():
        return prepare(reading.study, options, faults=reading.faults, other_study=other_study)


@contextmanager
def _all_kept() -> Iterator[None]:
    """Look for no garbage while code is read: hardly any of its many small objects is, and looking costs a seventh."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # nor does a later look have to go through them
        if was_on:
            gc.enable()


def cluster_of(on: str | None, study: Path) -> ClusterProfile | None:
    """The cluster that `--on` names; None where it names a backend of this machine.

    Raises:
        ConfigError: There is no such profile, or it is faulty.
    """
    if on in (None, "inline", "processes"):
        return None
    from etude.config.cluster import read_profile
    from etude.config.project import project_of

    assert on is not None
    return read_profile(on, project_of(study))


def find_study(name: str, folder: Path, project: Path) -> Path:
    """The file of a study that another names, by its file or by its `name:`: beside it, or under `studies`.

    Raises:
        ConfigError: There is none, or several studies have that name.
    """
    from etude.config.document import SUFFIXES
    from etude.errors import ConfigError, Fault, nearest

    places = [folder, project, project / "studies"]
    for place in places:
        for suffix in ("", *SUFFIXES):
            if (path := place / f"{name}{suffix}").is_file():
                return path
    files = {path.resolve(): path for place in places for path in sorted(place.glob("*")) if path.suffix in SUFFIXES}
    studies = {path: called for path in files.values() if (called := _study_name(path))}
    meant = [path for path, called in studies.items() if called == name]
    if len(meant) == 1:
        return meant[0]
    if meant:
        reason = f"{len(meant)} studies are called {name!r}: {', '.join(map(str, meant))}"
        raise ConfigError([Fault("", reason, name, "name its file, without the ending")])
    known = {path.stem for path in studies} | set(studies.values())
    raise ConfigError(
        [Fault("", f"there is no study {name!r} beside this one or under studies/", name, nearest(name, known))]
    )


def _study_name(path: Path) -> str | None:
    """What the study in a file is called; None where the file holds no study."""
    from etude.config.load import read_study

    study = read_study(path).study
    return study.name if study is not None and study.pipeline else None


def assignments(texts: Sequence[str] | None, option: str) -> dict[str, str]:
    """`name=value` pairs of an option given several times.

    Raises:
        ConfigError: One has no `=`.
    """
    pairs = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals:
            from etude.errors import ConfigError, Fault

            raise ConfigError([Fault(option, "expected PARAM=VALUE", text)])
        pairs[name.strip()] = value.strip()
    return pairs
