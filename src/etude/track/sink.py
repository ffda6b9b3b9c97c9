"""The seam to a tracker: something that takes runs."""

from __future__ import annotations

from typing import Protocol

from etude.track.tracked import TrackedRun

SHOWN = 500
"""Characters of a value that every version of every tracker takes; longer ones go whole into a file."""
LONG_VALUES = "long_values.json"


class Sink(Protocol):
    """Takes runs to one tracker. Used by one thread alone; may fail in any way, and may take its time."""

    @property
    def name(self) -> str:
        """The tracker's name: `mlflow`."""
        ...

    @property
    def place(self) -> str:
        """Where the runs go, for people; without secrets."""
        ...

    def send(self, run: TrackedRun) -> bool:
        """Tell of a run: a new one is made, a known one is brought up to date.

        Returns:
            False where the tracker knew all of it already.
        """
        ...

    def close(self) -> None:
        """Let go of the tracker."""
        ...


def shortened(values: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Values that fit everywhere, and the long ones in full, which are cut in the first."""
    long = {name: text for name, text in values.items() if len(text) > SHOWN}
    tail = f"… ({LONG_VALUES})"
    return {name: text[: SHOWN - len(tail)] + tail if name in long else text for name, text in values.items()}, long
