"""Requests at the same time: each holder has one slot, and a holder that dies gives it back."""

import logging
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from redis.lock import Lock

from customer_pipeline.cache.connection import Connection, connect
from customer_pipeline.request_budget.slots import Slots
from customer_pipeline_tests.servers import ValkeyServer, wait_until

HOUR = timedelta(hours=1)


def taken(slots: Slots) -> Lock:
    lock = slots.take()
    assert lock is not None
    return lock


def test_there_are_as_many_slots_as_keys(either: Connection) -> None:
    first, second = (Slots(either, ["slot:0", "slot:1"], hold=HOUR) for _ in range(2))
    one, other = taken(first), taken(second)
    assert {one.name, other.name} == {"slot:0", "slot:1"}
    assert first.take() is None
    second.give_back(other)
    assert taken(first).name == other.name


def test_a_thread_tries_the_slot_first_that_it_had_last(either: Connection) -> None:
    slots = Slots(either, [f"slot:{number}" for number in range(8)], hold=HOUR)
    names = set()
    for _ in range(10):
        lock = taken(slots)
        names.add(lock.name)
        slots.give_back(lock)
    assert len(names) == 1


def test_a_slot_whose_holder_was_killed_frees_itself(valkey: ValkeyServer) -> None:
    command = [sys.executable, "-m", "customer_pipeline_tests.request_budget.asking_process"]
    with (
        subprocess.Popen([*command, "hold", valkey.url, "slot:0", "1.5"], stdout=subprocess.PIPE, text=True) as process,
        connect(valkey.url) as connection,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        slots = Slots(connection, ["slot:0"], hold=HOUR)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert slots.take() is None
        started = time.monotonic()
        wait_until(lambda: slots.take() is not None, what="the end of the hold", timeout=10)
        assert time.monotonic() - started < 1.6


def test_a_request_that_outlives_its_slot_does_not_free_the_slot_of_another(
    either: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    slots = Slots(either, ["slot:0"], hold=timedelta(milliseconds=50))
    late = taken(slots)
    wait_until(lambda: not either.exists("slot:0"), what="the end of the hold")
    other = Slots(either, ["slot:0"], hold=HOUR)
    lock = taken(other)
    with caplog.at_level(logging.WARNING):
        slots.give_back(late)
    assert "longer than the 0:00:00.050000 that its slot was held" in caplog.text
    assert lock.owned()
