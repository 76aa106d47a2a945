"""Load on a server of HTTP, by wrk, which is started for each measurement and ends by itself."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rig import elsewhere

CONNECTIONS = 32
_SCRIPT = Path(__file__).with_name("wrk.lua")


class LoadUnavailableError(Exception):
    """What makes the load is not installed."""


@dataclass(frozen=True)
class Load:
    """What came of one load: requests a second, and how long an answer took, in milliseconds."""

    rate: float
    p50: float
    p99: float


class Wrk:
    """Asks one server for some paths, over and over.

    Args:
        url: of the server.
        paths: to choose from; a file of them is written into `folder`.
        key: the bearer key.
    """

    def __init__(self, url: str, paths: Sequence[str], *, key: str, folder: Path) -> None:
        self._url = url
        self._key = key
        self._file = folder / f"{len(list(folder.glob('*.paths')))}.paths"
        self._file.write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")

    def run(self, seconds: int, *, at_most: float | None = None) -> Load:
        """Ask as fast as answers come, or about `at_most` times a second.

        Raises:
            LoadUnavailableError: if wrk is not there.
            RuntimeError: if a request failed.
        """
        if not shutil.which("wrk"):
            raise LoadUnavailableError("wrk is not installed (apt-get install wrk)")
        wait = 0 if at_most is None else round(CONNECTIONS / at_most * 1000)
        command = ["wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s"]
        command += ["--header", f"Authorization: Bearer {self._key}", "--script", str(_SCRIPT), self._url]
        with elsewhere():
            done = subprocess.run(
                [*command, "--", str(self._file), str(wait)], stdout=subprocess.PIPE, text=True, check=True
            )
        answer = json.loads(done.stdout.splitlines()[-1])
        if answer["failed"] or not answer["requests"]:
            raise RuntimeError(f"{answer['failed']} of {answer['requests']} requests failed")
        rate = answer["requests"] / answer["microseconds"] * 1e6
        return Load(rate, answer["p50"] / 1000, answer["p99"] / 1000)


def redis_gets(port: int, key: str, *, requests: int) -> Load:
    """Ask a Redis for the value of one key, by redis-benchmark, over as many connections.

    Raises:
        LoadUnavailableError: if redis-benchmark is not there.
    """
    if not shutil.which("redis-benchmark"):
        raise LoadUnavailableError("redis-benchmark is not installed (apt-get install redis-tools)")
    command = ["redis-benchmark", "-p", str(port), "-c", str(CONNECTIONS), "-n", str(requests), "--csv", "GET", key]
    with elsewhere():
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    header, values = (line.replace('"', "").split(",") for line in done.stdout.splitlines()[-2:])
    found = dict(zip(header, values, strict=True))
    return Load(float(found["rps"]), float(found["p50_latency_ms"]), float(found["p99_latency_ms"]))
