"""Makes the sinks that a study, or a user, asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from etude.errors import ConfigError, Fault, nearest
from etude.study.prepare import PreparedStudy
from etude.study.study import TRACKERS, Tracker
from etude.track.mlflow_sink import MlflowSink
from etude.track.sink import Sink
from etude.track.tensorboard_sink import TensorboardSink
from etude.track.wandb_sink import WandbSink


def trackers_of(own: Sequence[Tracker], names: Sequence[str], option: str) -> tuple[Tracker, ...]:
    """The trackers that the study names and those that an option adds, with the study's settings where it has some.

    Raises:
        ConfigError: There is no such tracker.
    """
    unknown = [name for name in names if name not in TRACKERS]
    if unknown:
        raise ConfigError([Fault(option, "no such tracker", name, nearest(name, TRACKERS)) for name in unknown])
    own_names = {tracker.name for tracker in own}
    added = [Tracker(name=name) for name in dict.fromkeys(names) if name not in own_names]
    return (*_without_repeats(own), *added)


def sinks(trackers: Sequence[Tracker], prepared: PreparedStudy, environment: Mapping[str, str]) -> list[Sink]:
    """A sink for each tracker. Nothing is opened yet.

    Args:
        trackers: Which, with their settings.
        prepared: The study; its project is where what is local goes.
        environment: The process environment, for what a tracker's own variables say of the place.

    Raises:
        ConfigError: A tracker is not installed.
    """
    missing = [name for name in dict.fromkeys(tracker.name for tracker in trackers) if find_spec(name) is None]
    if missing:
        mend = "pip install 'etude[track]'"
        raise ConfigError([Fault("place.track", f"{name} is not installed", mend=mend) for name in missing])
    return [_sink(tracker, prepared, environment) for tracker in trackers]


def _sink(tracker: Tracker, prepared: PreparedStudy, environment: Mapping[str, str]) -> Sink:
    project, study, settings = prepared.workplace.project, prepared.study.name, tracker.settings
    match tracker.name:
        case "mlflow":
            local = f"sqlite:///{project / 'mlflow.db'}"
            uri = _in_project(settings.get("uri") or environment.get("MLFLOW_TRACKING_URI") or local, project)
            artifacts = project / "mlartifacts" if uri.startswith("sqlite:") else None
            return MlflowSink(uri, settings.get("experiment", study), artifacts)
        case "wandb":
            by_key = "online" if environment.get("WANDB_API_KEY") else "offline"
            mode = settings.get("mode") or environment.get("WANDB_MODE") or by_key
            return WandbSink(settings.get("project", study), project, mode=mode, entity=settings.get("entity"))
        case "tensorboard":
            return TensorboardSink(project / settings.get("folder", "tensorboard"))
    raise AssertionError(f"no sink for {tracker.name}")


def _in_project(uri: str, project: Path) -> str:
    """A database file's relative path is one in the project: `sqlite:///mlflow.db`."""
    head, path = uri[: len("sqlite:///")], uri[len("sqlite:///") :]
    return f"{head}{project / path}" if head == "sqlite:///" and not Path(path).is_absolute() else uri


def _without_repeats(trackers: Sequence[Tracker]) -> list[Tracker]:
    distinct: list[Tracker] = []
    for tracker in trackers:
        if tracker not in distinct:
            distinct.append(tracker)
    return distinct
