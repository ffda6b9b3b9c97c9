"""What driver and workers tell each other through files."""

from __future__ import annotations

from pathlib import Path

import pytest

from etude.pilots.mailbox import Mailbox, Orders, append, silence_s


@pytest.fixture
def mailbox(tmp_path: Path) -> Mailbox:
    mailbox = Mailbox(folder=tmp_path / "mailbox")
    mailbox.open()
    return mailbox


def test_a_worker_sees_the_orders_for_its_attempt_and_no_other(mailbox: Mailbox) -> None:
    orders = Orders(folder=mailbox.folder)
    mailbox.order_cancel("first", "too slow")
    mailbox.order_stop("second")
    orders.look()
    assert (orders.cancels("first"), orders.cancels("second")) == ("too slow", None)
    assert (orders.stops("first"), orders.stops("second")) == (False, True)


def test_an_order_to_stop_everything_reaches_all_attempts(mailbox: Mailbox) -> None:
    orders = Orders(folder=mailbox.folder)
    orders.look()
    assert not orders.stops("any")
    mailbox.order_stop()
    orders.look()
    assert orders.stops("any")


def test_each_line_of_news_is_heard_once_and_a_torn_one_when_it_is_whole(mailbox: Mailbox) -> None:
    path = mailbox.folder / "news" / "worker.log"
    append(path, {"ticket": "a"})
    assert list(mailbox.news()) == [{"ticket": "a"}]
    assert list(mailbox.news()) == []
    with path.open("a") as file:
        file.write('{"ticket"')
    assert list(mailbox.news()) == []
    with path.open("a") as file:
        file.write(':"b"}\n')
    assert list(mailbox.news()) == [{"ticket": "b"}]


def test_a_driver_that_is_silent_is_told_from_one_that_lives(mailbox: Mailbox) -> None:
    mailbox.beat()
    at = mailbox.orders.stat().st_mtime
    assert silence_s(mailbox.folder, lambda: at + 5.0) == pytest.approx(5.0)
    mailbox.orders.unlink()
    assert silence_s(mailbox.folder) == float("inf")


def test_what_is_on_the_board_is_for_its_owner_alone(mailbox: Mailbox) -> None:
    assert mailbox.folder.stat().st_mode & 0o077 == 0
    assert mailbox.orders.stat().st_mode & 0o077 == 0


def test_a_pilot_sees_that_it_should_end_and_no_other_does(mailbox: Mailbox) -> None:
    orders = Orders(folder=mailbox.folder)
    mailbox.order_leave("cpu-c1.0")
    orders.look()
    assert (orders.leaves("cpu-c1.0"), orders.leaves("cpu-c1.1")) == (True, False)
