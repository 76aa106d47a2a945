"""Steering a running sandbox: the functions that the command line calls."""

import http.server
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from customer_pipeline.sandbox.control import ControlError, clear_faults, list_faults, set_fault
from customer_pipeline_tests.sandbox.running import RunningSandbox
from customer_pipeline_tests.servers import free_port


def names(sandbox: RunningSandbox) -> list[str]:
    return [fault["name"] for fault in list_faults(sandbox.url)]


def test_faults_are_set_listed_and_cleared(sandbox: RunningSandbox) -> None:
    assert set_fault(sandbox.url, "down", lasting=timedelta(minutes=15))["until"] is not None
    assert set_fault(f"{sandbox.url}/", "throttle_retry_after", lasting=None, seconds="7")["options"] == {
        "seconds": "7"
    }
    assert names(sandbox) == ["down", "throttle_retry_after"]
    clear_faults(sandbox.url, "down")
    assert names(sandbox) == ["throttle_retry_after"]
    clear_faults(sandbox.url)
    assert names(sandbox) == []


def test_a_fault_can_last_less_than_a_second(sandbox: RunningSandbox) -> None:
    set_fault(sandbox.url, "down", lasting=timedelta(microseconds=1))
    assert names(sandbox) == []


@pytest.mark.parametrize("name", ["earthquake", "../state"])
def test_an_unknown_fault_is_answered_with_those_that_there_are(sandbox: RunningSandbox, name: str) -> None:
    with pytest.raises(ControlError, match=r"there are down, hang"):
        set_fault(sandbox.url, name, lasting=None)
    with pytest.raises(ControlError, match=r"there are down, hang"):
        clear_faults(sandbox.url, name)


def test_without_a_sandbox_the_error_says_how_to_start_one() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(
        ControlError, match=r"no sandbox answers at .*start it with python -m customer_pipeline\.sandbox"
    ):
        list_faults(url)


@pytest.fixture
def something_else() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_another_server_is_not_taken_for_a_sandbox(something_else: str) -> None:
    with pytest.raises(ControlError, match=r"is no sandbox \(status 501\)"):
        clear_faults(something_else)
