"""Several processes together keep the provider's limits, as the provider sees them."""

import json
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

from customer_pipeline_tests.provider.wire import Reply, Request, Server, page
from customer_pipeline_tests.request_budget.asking_process import WALKS
from customer_pipeline_tests.servers import ValkeyServer

PROCESSES = 4
REQUESTS, PERIOD_SECONDS, CONCURRENT = 20, 1.0, 2


class Provider:
    """Answers after a while, and remembers when it was asked and how many were waiting."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()

    def __call__(self, _: Request) -> Reply:
        with self._lock:
            self.times.append(time.monotonic())
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(0.05)
        with self._lock:
            self._now -= 1
        return page({"id": 1, "updated_at": "2025-11-23T07:51:00Z"})


def test_processes_together_never_exceed_the_limits(valkey: ValkeyServer) -> None:
    provider = Provider()
    with Server(provider) as server, ExitStack() as stack:
        limits = {"requests": REQUESTS, "period": f"{PERIOD_SECONDS}s", "concurrent": CONCURRENT}
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [
                        *(sys.executable, "-m", "customer_pipeline_tests.request_budget.asking_process", "ask"),
                        *(valkey.url, server.url, json.dumps(limits), json.dumps(number > 0)),
                    ]
                )
            )
            for number in range(PROCESSES)
        ]
        assert [process.wait(timeout=60) for process in processes] == [0] * PROCESSES
    times = provider.times
    assert len(times) == PROCESSES * WALKS
    assert max(sum(first <= other < first + PERIOD_SECONDS for other in times) for first in times) <= REQUESTS
    assert provider.most <= CONCURRENT
    # the limits were met, or nothing was tested
    assert provider.most == CONCURRENT
    assert times[-1] - times[0] > (len(times) - REQUESTS) / REQUESTS * PERIOD_SECONDS
