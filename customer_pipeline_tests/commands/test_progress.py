import os
import pty
import select
import sys
import termios
from collections.abc import Iterator
from typing import TextIO

import pytest

from customer_pipeline.commands.progress import Display
from customer_pipeline.instance.progress import Progress


def progress(done: int) -> Progress:
    return Progress(status="REQUESTED", total=9, done=done, failed=1, running=8 - done)


def test_elsewhere_each_change_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display()
    for done in (0, 0, 5, 5):
        display.show(progress(done))
    display.say("the webserver answers again")
    display.close()

    assert capsys.readouterr().out.splitlines() == [
        "0 of 9 windows done, 8 running, 1 failed",
        "5 of 9 windows done, 3 running, 1 failed",
        "the webserver answers again",
    ]


@pytest.fixture
def terminal() -> Iterator[tuple[int, TextIO]]:
    """A terminal: what it reads, and what programs write to."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    with os.fdopen(theirs, "w") as stdout:
        yield ours, stdout
        # What is buffered for a terminal that is gone must not fail the end of the test.
        os.dup2(os.open(os.devnull, os.O_WRONLY), theirs)


def read_line(reading: int) -> str:
    """What a terminal shows until its line ends: it may arrive in pieces."""
    read = b""
    while not read.endswith(b"\r\n"):
        arrived, _, _ = select.select([reading], [], [], 10)
        assert arrived, f"the line has not ended: {read!r}"
        read += os.read(reading, 10_000)
    return read.decode()


def test_on_a_terminal_a_bar_is_redrawn(terminal: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch) -> None:
    reading, stdout = terminal
    monkeypatch.setattr(sys, "stdout", stdout)
    display = Display()
    for done in (0, 5):
        display.show(progress(done))
    display.close()

    drawn = read_line(reading)
    assert "\r  0%|" in drawn
    assert "| 5 of 9 windows, 3 running, 1 failed [00:0" in drawn
    os.close(reading)


def test_a_terminal_that_goes_away_is_no_failure(terminal: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch) -> None:
    reading, stdout = terminal
    monkeypatch.setattr(sys, "stdout", stdout)
    display = Display()
    display.show(progress(0))
    os.close(reading)

    display.show(progress(5))
    display.say("the webserver answers again")
    display.show(progress(6))
    display.close()
