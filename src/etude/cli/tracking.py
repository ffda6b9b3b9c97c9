"""Has trackers told of a study: while it runs, or of what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from etude.cli.tell import err, escaped, hidden, out
from etude.environment import variables

if TYPE_CHECKING:
    from etude.study.prepare import Prepared
    from etude.track.courier import Delivered
    from etude.track.follow import Following


def following(prepared: Prepared, names: Sequence[str]) -> Following | None:
    """What follows a run for the trackers that the study names and those that are added; None where there are none.

    Raises:
        ConfigError: There is no such tracker, or it is not installed.
    """
    if not prepared.study.place.track and not names:
        return None
    from etude.track.follow import Following
    from etude.track.opening import asked_for, sinks

    trackers = asked_for(prepared.study.place.track, names, "--track")
    live = prepared.study.place.backend != "inline"
    return Following(prepared, sinks(trackers, prepared, variables()), hidden(), live)


def told_of_stored(prepared: Prepared, names: Sequence[str]) -> list[Delivered]:
    """Tell the trackers that are named, else those of the study, of what is stored, and wait until they are told.

    Raises:
        ConfigError: There is no such tracker, or it is not installed, or none is named.
    """
    from etude.errors import ConfigError, Fault
    from etude.track.follow import deliver_stored
    from etude.track.opening import asked_for, sinks

    own = prepared.study.place.track
    chosen = [tracker for tracker in asked_for(own, names, "--to") if not names or tracker.name in names]
    if not chosen:
        raise ConfigError([Fault("--to", "no tracker is named, and the study names none", mend="add --to mlflow")])
    return deliver_stored(prepared, sinks(chosen, prepared, variables()), hidden())


def show_delivered(delivered: Sequence[Delivered], prepared: Prepared) -> bool:
    """Say once what each tracker was told. Returns whether all of them know everything."""
    file = str(prepared.study.file or prepared.study.name)
    for each in delivered:
        if each.left or each.error:
            told = f"{each.sent + each.known} of {each.sent + each.known + each.left} runs told"
            text = f"{each.tracker}: {told}; {each.error or 'the rest is left'}"
            err().print(f"[yellow]note[/] {escaped(hidden()(text))}", soft_wrap=True)
            err().print(f"    the rest: etude track {escaped(file)} --to {each.tracker}", soft_wrap=True)
        else:
            counts = f"{_runs(each.sent)} told" + (f", {each.known} known already" if each.known else "")
            out().print(f"{each.tracker}: {counts}: {escaped(each.place)}", soft_wrap=True)
    return not any(each.left or each.error for each in delivered)


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"
