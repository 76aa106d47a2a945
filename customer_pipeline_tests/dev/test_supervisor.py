import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from customer_pipeline.dev import groups, guardian, supervisor
from customer_pipeline.dev.supervisor import Service, ServiceDied, StopRequested, Supervisor
from customer_pipeline_tests.servers import wait_until

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(99)"
)
WITH_A_CHILD = (
    "import subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)']);"
    "print(child.pid, flush=True); time.sleep(99)"
)


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(environ=os.environ, folder=tmp_path) as running:
        yield running


def python(code: str, folder: Path, name: str = "the service") -> Service:
    return Service(name=name, command=[sys.executable, "-c", code], log=folder / f"{name}.log")


def read(log: Path) -> str:
    wait_until(lambda: log.exists() and log.read_text().endswith("\n"), what=f"a line in {log}")
    return log.read_text()


@pytest.fixture
def others() -> set[int]:
    """Processes that other tests share, such as their servers."""
    return {child.pid for child in psutil.Process().children(recursive=True)}


def children(others: set[int]) -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)} - others


def is_gone(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def test_a_service_that_ends_by_itself_is_named_with_the_last_lines_of_its_log(
    supervised: Supervisor, tmp_path: Path
) -> None:
    supervised.start(python("for n in range(30): print(f'\\x1b[31mline {n}\\x1b[0m')\nraise SystemExit(3)", tmp_path))

    with pytest.raises(ServiceDied) as died:
        supervised.watch()

    first, *quoted, log = str(died.value).splitlines()
    assert first == "the service ended unexpectedly with exit code 3; the last lines of its log:"
    assert quoted == [f"  | line {n}" for n in range(15, 30)]
    assert log == f"  {tmp_path / 'the service.log'}"


def test_a_service_that_is_killed_is_named_with_the_signal(supervised: Supervisor, tmp_path: Path) -> None:
    supervised.start(python("import os; print(os.getpid(), flush=True); os.kill(os.getpid(), 9)", tmp_path))

    with pytest.raises(ServiceDied, match="ended unexpectedly by signal SIGKILL"):
        supervised.watch()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_asks_for_the_end(supervised: Supervisor, tmp_path: Path, number: signal.Signals) -> None:
    supervised.start(python("import time; time.sleep(99)", tmp_path))
    supervised.poll()

    os.kill(os.getpid(), number)

    with pytest.raises(StopRequested):
        supervised.watch()


def test_a_hangup_that_was_ignored_stays_ignored(tmp_path: Path) -> None:
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Supervisor(environ=os.environ, folder=tmp_path) as running:
            os.kill(os.getpid(), signal.SIGHUP)
            running.poll()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, previous)


def test_the_signal_handlers_are_put_back(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]

    with Supervisor(environ=os.environ, folder=tmp_path):
        pass

    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_no_process_outlives_the_supervisor_not_even_a_grandchild(others: set[int], tmp_path: Path) -> None:
    with Supervisor(environ=os.environ, folder=tmp_path) as running:
        running.start(python(WITH_A_CHILD, tmp_path))
        grandchild = int(read(tmp_path / "the service.log"))
        assert len(children(others)) == 3  # the guardian, too
        assert not is_gone(grandchild)

    assert is_gone(grandchild)
    assert children(others) == set()


def test_a_service_that_ignores_the_request_to_end_is_killed(
    others: set[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "GRACE_SECONDS", 0.3)

    with Supervisor(environ=os.environ, folder=tmp_path) as running:
        running.start(python(STUBBORN, tmp_path))
        read(tmp_path / "the service.log")
        began = time.monotonic()

    assert 0.3 <= time.monotonic() - began < 3
    assert children(others) == set()


def test_a_second_signal_ends_the_grace(others: set[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "GRACE_SECONDS", 60.0)
    impatience = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))

    with Supervisor(environ=os.environ, folder=tmp_path) as running:
        running.start(python(STUBBORN, tmp_path))
        read(tmp_path / "the service.log")
        impatience.start()
        began = time.monotonic()

    assert time.monotonic() - began < 10
    assert children(others) == set()


def test_services_end_before_those_that_they_need(tmp_path: Path) -> None:
    ends = tmp_path / "ends"
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        f"    time.sleep(0.2); open({str(ends)!r}, 'a').write('NAME ends\\n'); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('ready', flush=True); time.sleep(99)"
    )

    with Supervisor(environ=os.environ, folder=tmp_path) as running:
        running.start(python(code.replace("NAME", "cache"), tmp_path, "cache"))
        running.start(
            python(code.replace("NAME", "user"), tmp_path, "one"), python(code.replace("NAME", "user"), tmp_path, "two")
        )
        for name in ("cache", "one", "two"):
            read(tmp_path / f"{name}.log")

    assert ends.read_text().splitlines() == ["user ends", "user ends", "cache ends"]


def test_waiting_for_a_service_has_a_limit(supervised: Supervisor) -> None:
    with pytest.raises(TimeoutError, match="the cache did not answer within 0 s"):
        supervised.wait_until(lambda: False, what="the cache", timeout_seconds=0.1)


def test_waiting_for_a_service_ends_when_one_dies(supervised: Supervisor, tmp_path: Path) -> None:
    supervised.start(python("raise SystemExit(1)", tmp_path))

    with pytest.raises(ServiceDied):
        supervised.wait_until(lambda: False, what="the cache", timeout_seconds=30)


def test_the_log_of_the_last_start_is_kept_beside_the_new_one(supervised: Supervisor, tmp_path: Path) -> None:
    for text in ("first", "second", "third"):
        supervised.start(python(f"import time; print({text!r}, flush=True); time.sleep(99)", tmp_path))
        assert read(tmp_path / "the service.log") == f"{text}\n"

    assert (tmp_path / "the service.old.log").read_text() == "second\n"


def test_a_supervisor_without_its_guardian_still_ends_everything(others: set[int], tmp_path: Path) -> None:
    with Supervisor(environ=os.environ, folder=tmp_path) as running:
        running._guardian.kill()
        running._guardian.wait()
        running.start(python("import time; time.sleep(99)", tmp_path))

    assert children(others) == set()


def test_a_supervisor_that_is_killed_leaves_nothing_and_holds_its_files_until_then(tmp_path: Path) -> None:
    held = tmp_path / "held"
    temporary = tmp_path / "temporary folder"
    temporary.mkdir()
    (temporary / "code.sock").touch()
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom customer_pipeline.dev.supervisor import Service, Supervisor\n"
        f"folder = Path({str(tmp_path)!r})\nlock = os.open(folder / 'held', os.O_CREAT | os.O_RDWR)\n"
        "temporary = [folder / 'temporary folder']\n"
        "with Supervisor(environ=os.environ, folder=folder, held=[lock], temporary=temporary) as running:\n"
        f"    command = [sys.executable, '-c', {WITH_A_CHILD!r}]\n"
        "    running.start(Service(name='s', command=command, log=folder / 's.log'))\n"
        "    running.watch()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script])
    grandchild = int(read(tmp_path / "s.log"))
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) == 3
    holders = [child for child in family if str(held) in {file.path for file in child.open_files()}]
    assert len(holders) == 1  # the guardian

    process.kill()
    process.wait()

    wait_until(lambda: all(is_gone(child.pid) for child in family), what="the end of the family")
    assert is_gone(grandchild)
    assert not temporary.exists()


def test_the_guardian_knows_what_has_ended() -> None:
    assert guardian.remaining(["+10\n", "+20\n", "-10\n", "+30\n"]) == [30, 20]
    assert guardian.remaining([]) == []


def test_a_group_without_members_is_not_alive() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)"], start_new_session=True)
    assert groups.alive(process.pid)

    def reap() -> None:
        process.poll()

    groups.end([process.pid], grace_seconds=5, reap=reap)

    assert not groups.alive(process.pid)
