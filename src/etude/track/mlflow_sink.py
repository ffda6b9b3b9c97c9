"""MLflow: a run for each variant, under one run for the study; a database file or a server."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etude.redaction import Redactor
from etude.track.sink import LONG_VALUES, TrackerRun, shorten

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

KEY, DIGEST = "etude.key", "etude.digest"
_MOST_METRICS, _MOST_PARAMS = 1000, 100
"""What MLflow takes in one request."""
_LONGEST_NAME = 250


class MlflowSink:
    """Tells MLflow of runs through its client, without touching the process's active run."""

    name = "mlflow"

    def __init__(self, uri: str, experiment: str, artifacts: Path | None) -> None:
        """
        Args:
            uri: The tracking server, or a database such as `sqlite:////path/mlflow.db`.
            experiment: Its name; made where there is none.
            artifacts: Folder of the files of a new experiment; None where the server says where they go.
        """
        self._uri = uri
        self._experiment_name = experiment
        self._artifacts = artifacts
        self._client: MlflowClient | None = None
        self._experiment = ""
        self._parents: dict[str, str] = {}

    @property
    def place(self) -> str:
        return f"{Redactor()(self._uri)}, experiment {self._experiment_name}"

    def send(self, run: TrackerRun) -> bool:
        client = self._connection()
        earlier = self._find(run.key)
        if earlier is not None and earlier.data.tags.get(DIGEST) == run.digest:
            return False
        run_id = earlier.info.run_id if earlier is not None else self._make(run)
        texts, long = shorten({name: _text(value) for name, value in run.params.items()})
        tags, long_tags = shorten({**{_tag(name): text for name, text in run.tags.items()}, **_error(run)})
        self._log_params(run_id, texts, earlier.data.params if earlier is not None else {})
        self._log_metrics(run_id, run)
        self._log_files(run_id, run, {**long, **long_tags})
        self._log_tags(run_id, {**tags, "mlflow.runName": run.name, DIGEST: run.digest})
        client.set_terminated(run_id, "FAILED" if run.error else "FINISHED", end_time=_ms(run.ended_s))
        return True

    def close(self) -> None:
        self._client = None

    def _connection(self) -> MlflowClient:
        if self._client is None:
            _quieten()
            from mlflow.tracking import MlflowClient

            self._client = client = MlflowClient(tracking_uri=self._uri)
            experiment = client.get_experiment_by_name(self._experiment_name)
            where = self._artifacts.absolute().as_uri() if self._artifacts else None
            self._experiment = (
                experiment.experiment_id
                if experiment is not None
                else client.create_experiment(self._experiment_name, artifact_location=where)
            )
        return self._client

    def _find(self, key: str) -> Run | None:
        runs = self._connection().search_runs(
            [self._experiment], filter_string=f"tags.`{KEY}` = '{key}'", max_results=1
        )
        return runs[0] if runs else None

    def _make(self, run: TrackerRun) -> str:
        tags = {KEY: run.key, "mlflow.source.name": f"etude {run.study}"}
        if run.parent:
            tags["mlflow.parentRunId"] = self._parent(run)
        new = self._connection().create_run(self._experiment, _ms(run.started_s), tags, run.name)
        return str(new.info.run_id)

    def _parent(self, run: TrackerRun) -> str:
        """The study's own run, made for its first variant and told of itself at the end."""
        if run.parent not in self._parents:
            parent = self._find(run.parent)
            self._parents[run.parent] = (
                parent.info.run_id
                if parent is not None
                else self._make(TrackerRun(key=run.parent, name=run.study, study=run.study, started_s=run.started_s))
            )
        return self._parents[run.parent]

    def _log_params(self, run_id: str, texts: Mapping[str, str], earlier: Mapping[str, str]) -> None:
        """MLflow never changes a param: those that it knows are left as they are."""
        from mlflow.entities import Param

        new = [Param(_name(name), text) for name, text in texts.items() if _name(name) not in earlier]
        for part in _parts(new, _MOST_PARAMS):
            self._connection().log_batch(run_id, params=part)

    def _log_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag

        for part in _parts([RunTag(name, text) for name, text in tags.items()], _MOST_PARAMS):
            self._connection().log_batch(run_id, tags=part)

    def _log_metrics(self, run_id: str, run: TrackerRun) -> None:
        """Every number with the time of the results, so that MLflow drops what it has already."""
        from mlflow.entities import Metric

        at = _ms(run.ended_s)
        metrics = [Metric(_name(name), value, at, 0) for name, value in run.metrics.items()]
        for curve in run.curves:
            metrics += [Metric(_name(curve.name), value, at, step) for step, value in curve.points]
        for part in _parts(metrics, _MOST_METRICS):
            self._connection().log_batch(run_id, metrics=part)

    def _log_files(self, run_id: str, run: TrackerRun, long: Mapping[str, str]) -> None:
        client = self._connection()
        for name, path in run.files.items():
            client.log_artifact(run_id, str(path), name.rpartition("/")[0] or None)
        for name, text in run.texts.items():
            client.log_text(run_id, text, name)
        if long:
            client.log_text(run_id, json.dumps(long, indent=1, ensure_ascii=False), LONG_VALUES)


def _quieten() -> None:
    """No chatter in the terminal, no word to its makers, no minutes of retries; what the user has set stays."""
    with contextlib.suppress(ImportError):
        from mlflow import environment_variables as variables

        given: Sequence[tuple[str, Any]] = (
            ("MLFLOW_DISABLE_TELEMETRY", True),
            ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", 2),
            ("MLFLOW_HTTP_REQUEST_TIMEOUT", 20),
            ("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", False),
        )
        for name, value in given:
            variable = getattr(variables, name, None)
            if variable is not None and not variable.is_set():
                variable.set(value)
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _parts(items: list[Any], most: int) -> list[list[Any]]:
    return [items[start : start + most] for start in range(0, len(items), most)]


def _name(text: str) -> str:
    """A name as MLflow takes it: letters, digits, `_-./` and spaces."""
    return re.sub(r"[^\w\-. /]", "_", text)[:_LONGEST_NAME]


def _tag(name: str) -> str:
    return "mlflow.note.content" if name == "description" else f"etude.{_name(name)}"


def _error(run: TrackerRun) -> dict[str, str]:
    return {"etude.error": run.error} if run.error else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _ms(at_s: float) -> int:
    return round(at_s * 1000)
