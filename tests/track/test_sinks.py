"""What each tracker has after it was told, read back with its own tools."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from etude.track.mlflow_sink import MlflowSink
from etude.track.sink import Sink, TrackerRun
from etude.track.tensorboard_sink import TensorboardSink
from etude.track.wandb_sink import WandbSink

pytestmark = pytest.mark.slow


def make(name: str, folder: Path) -> Sink:
    pytest.importorskip(name)
    if name == "mlflow":
        pytest.importorskip("sqlalchemy")
        return MlflowSink(f"sqlite:///{folder / 'mlflow.db'}", "toy", folder / "artifacts")
    return WandbSink("toy", folder) if name == "wandb" else TensorboardSink(folder / "tb")


@pytest.fixture(params=["mlflow", "wandb", "tensorboard"])
def open_sink(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Sink]:
    return lambda: make(request.param, tmp_path)


def test_a_run_is_told_once_and_again_only_where_it_changed(open_sink: Callable[[], Sink], variant: TrackerRun) -> None:
    assert open_sink().send(variant)
    assert not open_sink().send(variant)
    assert open_sink().send(replace(variant, metrics={**variant.metrics, "quality.accuracy": 0.8}))


@pytest.fixture
def mlflow_runs(tmp_path: Path) -> Callable[[], list[Any]]:
    tracking = pytest.importorskip("mlflow.tracking")

    def runs() -> list[Any]:
        client = tracking.MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
        return list(client.search_runs([client.get_experiment_by_name("toy").experiment_id]))

    return runs


def test_mlflow_has_params_metrics_curves_tags_and_long_values_as_a_file(
    tmp_path: Path, variant: TrackerRun, whole: TrackerRun, mlflow_runs: Callable[[], list[Any]]
) -> None:
    sink = make("mlflow", tmp_path)
    sink.send(variant)
    sink.send(whole)
    runs = {run.info.run_name: run for run in mlflow_runs()}
    run, parent = runs["pooling=max seed=0"], runs["toy"]
    assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert run.data.params["pooling"] == "max"
    assert run.data.params["spectral"] == "null"
    assert run.data.params["model.options._odd_ name"] == "x"
    assert run.data.params["model.p149"] == "149"
    assert len(run.data.params["long"]) == 500
    assert run.data.metrics["quality.accuracy"] == 0.75
    assert run.info.status == "FINISHED"
    assert (run.info.end_time - run.info.start_time) == 60_500
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    history = client.get_metric_history(run.info.run_id, "model.history.loss")
    assert {point.step: point.value for point in history} == dict(variant.curves[0].points)
    files = tmp_path / "artifacts" / run.info.run_id / "artifacts"
    assert json.loads((files / "long_values.json").read_text())["long"] == "l" * 7000
    assert (tmp_path / "artifacts" / parent.info.run_id / "artifacts" / "charts" / "chart.png").is_file()


def test_mlflow_keeps_one_run_for_a_variant_that_failed_and_then_succeeded(
    tmp_path: Path, variant: TrackerRun, mlflow_runs: Callable[[], list[Any]]
) -> None:
    make("mlflow", tmp_path).send(replace(variant, error="too high"))
    make("mlflow", tmp_path).send(variant)
    (run,) = (run for run in mlflow_runs() if run.info.run_name == variant.name)
    assert run.info.status == "FINISHED"


def test_mlflow_of_a_folder_that_is_no_database_says_so(tmp_path: Path, variant: TrackerRun) -> None:
    mlflow = pytest.importorskip("mlflow")
    sink = MlflowSink((tmp_path / "mlruns").as_uri(), "toy", None)
    with pytest.raises(mlflow.exceptions.MlflowException, match="maintenance mode"):
        sink.send(variant)


def test_wandb_offline_keeps_one_folder_for_a_variant(tmp_path: Path, variant: TrackerRun) -> None:
    sink = make("wandb", tmp_path)
    sink.send(variant)
    sink.send(replace(variant, error="too high"))
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    assert variant.key[:24] in folder.name
    assert (folder / "files" / "record.json").read_text() == "{}\n"
    assert json.loads((folder / "files" / "long_values.json").read_text())["long"] == "l" * 7000


def test_wandb_is_told_params_numbers_and_curves(tmp_path: Path, variant: TrackerRun) -> None:
    records = wandb_records(tmp_path, variant)
    config = {
        item.key or item.nested_key[0]: json.loads(item.value_json) for r in records for item in r.run.config.update
    }
    assert config["pooling"] == "max"
    assert config["seed"] == 0
    assert config["spectral"] is None
    history = [{item.key or item.nested_key[0]: item.value_json for item in r.history.item} for r in records]
    losses = [json.loads(row["model.history.loss"]) for row in history if "model.history.loss" in row]
    assert losses == [value for _, value in variant.curves[0].points]
    summary = {item.key or item.nested_key[0]: item.value_json for r in records for item in r.summary.update}
    assert json.loads(summary["quality.accuracy"]) == 0.75


def wandb_records(folder: Path, run: TrackerRun) -> list[Any]:
    """The records in an offline run's file, once its writer, a process of its own, has written the last of them."""
    make("wandb", folder).send(run)
    (path,) = (folder / "wandb").glob("offline-run-*/run-*.wandb")
    deadline_s = time.monotonic() + 60
    while True:
        records = records_of(path.read_bytes())
        if any(record.HasField("exit") for record in records) or time.monotonic() > deadline_s:
            return records
        time.sleep(0.1)


def records_of(data: bytes) -> list[Any]:
    """Records after a head of 7 bytes, in blocks of 32 KiB in LevelDB's form of a log."""
    from wandb.proto.wandb_internal_pb2 import Record

    at, whole, records = 7, b"", []
    while at + 7 <= len(data):
        room = 32768 - at % 32768
        if room < 7:
            at += room
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        if at + 7 + size > len(data):
            break  # it is being written
        whole += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # a whole record, or the last part of one
            records.append(Record.FromString(whole))
            whole = b""
    return records


def test_tensorboard_reads_curves_numbers_pictures_and_hyper_parameters(
    tmp_path: Path, variant: TrackerRun, whole: TrackerRun
) -> None:
    sink = make("tensorboard", tmp_path)
    sink.send(variant)
    sink.send(whole)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    read = EventAccumulator(str(tmp_path / "tb" / "toy" / f"pooling-max-seed-0-{variant.key[:8]}"), {"scalars": 0})
    read.Reload()
    loss = read.Scalars("model/history/loss")
    assert [event.step for event in loss] == list(range(1500))
    assert loss[3].value == pytest.approx(0.25)
    assert read.Scalars("quality/accuracy")[0].value == pytest.approx(0.75)
    data = read.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    hparams = HParamsPluginData.FromString(data).session_start_info.hparams
    assert hparams["pooling"].string_value == "max"
    assert hparams["seed"].number_value == 0
    assert hparams["spectral"].string_value == "none"
    pictures = EventAccumulator(str(tmp_path / "tb" / "toy" / "study"))
    pictures.Reload()
    assert pictures.Tags()["images"] == ["charts/chart"]


def test_tensorboard_leaves_one_event_file_and_no_litter(tmp_path: Path, variant: TrackerRun) -> None:
    sink = make("tensorboard", tmp_path)
    sink.send(variant)
    sink.send(replace(variant, error="too high"))
    assert len(list(tmp_path.rglob("events.out.tfevents.*"))) == 1
    assert [path.name for path in (tmp_path / "tb" / "toy").iterdir()] == [f"pooling-max-seed-0-{variant.key[:8]}"]
