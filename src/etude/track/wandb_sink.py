"""Weights & Biases: a run for each variant, grouped by study; to the service, or into a folder to be synced later."""

from __future__ import annotations

import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

from etude.track.sink import LONG_VALUES, NOTE, TrackerRun, digest_in, shorten

_ID = 24


class WandbSink:
    """Tells Weights & Biases of runs, each opened, told and closed in one go."""

    name = "wandb"

    def __init__(self, project: str, folder: Path, *, mode: str = "offline", entity: str | None = None) -> None:
        """
        Args:
            project: Its name.
            folder: Where `wandb/` is made.
            mode: `online` or `offline`.
            entity: User or team; None for the user's default.
        """
        self._project = project
        self._folder = folder
        self._mode = mode
        self._entity = entity

    @property
    def place(self) -> str:
        where = f"{self._folder / 'wandb'}, to be sent with `wandb sync`" if self._mode == "offline" else "online"
        return f"project {self._project}, {where}"

    def send(self, run: TrackerRun) -> bool:
        if self._mode == "offline":
            if any(digest_in(folder) == run.digest for folder in self._offline(run)):
                return False
            for folder in self._offline(run):
                shutil.rmtree(folder)
        return self._tell(run)

    def close(self) -> None:
        """Every run is closed already."""

    def _offline(self, run: TrackerRun) -> list[Path]:
        """The folders of this run that were not synced yet."""
        folders = sorted((self._folder / "wandb").glob(f"offline-run-*-{run.key[:_ID]}*"))
        return [folder for folder in folders if folder.is_dir() and not [*folder.glob("*.synced")]]

    def _tell(self, run: TrackerRun) -> bool:
        import wandb

        logging.getLogger("wandb").setLevel(logging.ERROR)
        self._folder.mkdir(parents=True, exist_ok=True)
        texts, long = shorten({name: _text(value) for name, value in run.params.items()})
        config = {name: texts[name] if name in long else value for name, value in run.params.items()}
        words, long_words = shorten({**run.tags, **({"error": run.error} if run.error else {})})
        opened = wandb.init(
            project=self._project,
            entity=self._entity,
            id=run.key[:_ID],
            name=run.name,
            group=run.study,
            job_type="study" if run.whole else "variant",
            dir=str(self._folder),
            mode=self._mode,  # type: ignore[arg-type]
            config={**config, "etude": words},
            resume="allow" if self._mode == "online" else None,
            reinit="create_new",
            settings=_settings(wandb),
        )
        try:
            summary: Any = opened.summary
            if opened.resumed and summary.get("etude.digest") == run.digest:
                return False
            if not opened.resumed:  # the service takes no step twice
                _log_curves(opened, run)
            summary.update({**run.metrics, "etude.digest": run.digest})
            _put_files(opened, run, {**long, **long_words})
            if self._mode == "offline":
                (Path(opened.dir).parent / NOTE).write_text(json.dumps({"digest": run.digest}), encoding="utf-8")
        finally:
            opened.finish(exit_code=1 if run.error else 0)
        return True


def _log_curves(opened: Any, run: TrackerRun) -> None:
    for curve in run.curves:
        axis = f"{curve.name.rpartition('.')[0]}.{curve.axis}"
        opened.define_metric(curve.name, step_metric=axis)
        for at, value in curve.points:
            opened.log({curve.name: value, axis: at})


def _put_files(opened: Any, run: TrackerRun, long: dict[str, str]) -> None:
    """Copy the files into the run's own folder, from where they are uploaded."""
    folder = Path(opened.dir)
    texts = {**run.texts, **({LONG_VALUES: json.dumps(long, indent=1, ensure_ascii=False)} if long else {})}
    for name, path in run.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
        opened.save(os.fspath(folder / name), base_path=os.fspath(folder), policy="now")
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
        opened.save(os.fspath(folder / name), base_path=os.fspath(folder), policy="now")


def _settings(wandb: Any) -> Any:
    """Silent, and without what étude records better: no output, no command line, no machine statistics."""
    return wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        disable_code=True,
        save_code=False,
        x_disable_stats=True,
        x_disable_meta=True,
        init_timeout=30,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
