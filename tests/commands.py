"""The command line as a user meets it, in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from etude.cli.main import main


class Said(NamedTuple):
    """What one command printed and how it ended."""

    code: int
    out: str
    err: str


Etude = Callable[..., Said]
"""Runs `etude` with these words."""


def etude_in(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Etude:
    """Commands given in a folder, in a terminal of 150 columns."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "150")

    def run(*words: str) -> Said:
        monkeypatch.setattr("sys.argv", ["etude", *words])
        capfd.readouterr()
        code = 0
        try:
            main()
        except SystemExit as left:
            code = int(left.code or 0)
        said = capfd.readouterr()
        return Said(code, said.out, said.err)

    return run
