"""TensorBoard: a folder of event files for each variant, with its curves, its numbers and its hyper-parameters."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etude.report.charts.chart_names import file_stem
from etude.track.sink import LONG_VALUES, NOTE, TrackerRun, digest_in, shorten

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary


class TensorboardSink:
    """Writes event files. TensorBoard itself need not run, and torch is not asked."""

    name = "tensorboard"

    def __init__(self, folder: Path) -> None:
        """
        Args:
            folder: What `tensorboard --logdir` is given; a study has a folder in it, a variant one in that.
        """
        self._folder = folder

    @property
    def place(self) -> str:
        return f"tensorboard --logdir {self._folder}"

    def send(self, run: TrackerRun) -> bool:
        folder = self._folder / file_stem(run.study) / (_study(run) if run.whole else _variant(run))
        if digest_in(folder) == run.digest:
            return False
        fresh = folder.with_name(f".{folder.name}.{os.getpid()}")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        try:
            _write_events(fresh / f"events.out.tfevents.{int(run.started_s):010d}.etude", run)
            _write_files(fresh, run)
            (fresh / NOTE).write_text(json.dumps({"key": run.key, "digest": run.digest}), encoding="utf-8")
            if folder.exists():
                shutil.rmtree(folder)
            fresh.rename(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return True

    def close(self) -> None:
        """Every file is closed already."""


def _study(run: TrackerRun) -> str:
    return "study"


def _variant(run: TrackerRun) -> str:
    return f"{file_stem(run.name)}-{run.key[:8]}"


def _write_events(path: Path, run: TrackerRun) -> None:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    with path.open("wb") as file:
        records = RecordWriter(file)
        records.write(Event(wall_time=run.started_s, file_version="brain.Event:2").SerializeToString())
        for step, summary in _summaries(run):
            records.write(Event(wall_time=run.ended_s, step=step, summary=summary).SerializeToString())
        records.flush()


def _summaries(run: TrackerRun) -> Iterator[tuple[int, Summary]]:
    from tensorboard.compat.proto.summary_pb2 import Summary

    yield 0, _hyper_parameters(run)
    for curve in run.curves:
        tag = curve.name.replace(".", "/")
        for step, value in curve.points:
            yield step, Summary(value=[Summary.Value(tag=tag, simple_value=value)])
    for name, value in run.metrics.items():
        yield 0, Summary(value=[Summary.Value(tag=name.replace(".", "/"), simple_value=value)])
    for name, path in run.files.items():
        if name.endswith(".png"):
            image = Summary.Image(encoded_image_string=path.read_bytes())
            yield 0, Summary(value=[Summary.Value(tag=name.removesuffix(".png"), image=image)])
    yield 0, _ending(run)


def _hyper_parameters(run: TrackerRun) -> Summary:
    """What the tab of hyper-parameters shows; its own functions for this want TensorFlow."""
    from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionStartInfo

    info = SessionStartInfo(group_name=run.name, start_time_secs=run.started_s)
    texts, _ = shorten({name: value for name, value in run.params.items() if isinstance(value, str)})
    for name, value in run.params.items():
        if isinstance(value, bool):
            info.hparams[name].bool_value = value
        elif isinstance(value, (int, float)):
            info.hparams[name].number_value = value
        else:
            info.hparams[name].string_value = texts.get(name, "none")
    return _plugin_data(SESSION_START_INFO_TAG, HParamsPluginData(session_start_info=info))


def _ending(run: TrackerRun) -> Summary:
    from tensorboard.plugins.hparams import api_pb2
    from tensorboard.plugins.hparams.metadata import SESSION_END_INFO_TAG
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo

    status = api_pb2.STATUS_FAILURE if run.error else api_pb2.STATUS_SUCCESS
    info = SessionEndInfo(status=status, end_time_secs=run.ended_s)
    return _plugin_data(SESSION_END_INFO_TAG, HParamsPluginData(session_end_info=info))


def _plugin_data(tag: str, data: Any) -> Summary:
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.plugins.hparams.metadata import PLUGIN_DATA_VERSION, PLUGIN_NAME

    data.version = PLUGIN_DATA_VERSION
    content = SummaryMetadata.PluginData(plugin_name=PLUGIN_NAME, content=data.SerializeToString())
    return Summary(value=[Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=content))])


def _write_files(folder: Path, run: TrackerRun) -> None:
    _, long = shorten({name: value for name, value in run.params.items() if isinstance(value, str)})
    tags = {**run.tags, **({"error": run.error} if run.error else {})}
    extra = {"tags.json": json.dumps(tags, indent=1, ensure_ascii=False)}
    if long:
        extra[LONG_VALUES] = json.dumps(long, indent=1, ensure_ascii=False)
    for name, text in {**run.texts, **extra}.items():
        (folder / name).write_text(text, encoding="utf-8")
