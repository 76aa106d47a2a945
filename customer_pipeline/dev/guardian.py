"""A small process that outlives the supervisor: should that be killed outright, it ends the process groups left behind.

It reads `+GROUP` and `-GROUP` lines, a process group that was started or has ended. The end of its input means that the
supervisor is gone, however that came about. Folders that are its arguments are removed in the end.
"""

import shutil
import signal
import sys
from collections.abc import Iterable

from customer_pipeline.dev import groups

GRACE_SECONDS = 5.0


def remaining(lines: Iterable[str]) -> list[int]:
    """Read to the end of the input and return the groups that have not ended, the last started first."""
    started: list[int] = []
    for line in lines:
        group = int(line[1:])
        if line.startswith("+"):
            started.append(group)
        else:
            started.remove(group)
    return started[::-1]


def main() -> None:
    """Wait for the supervisor's end, then end what it left behind."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups.end(remaining(sys.stdin), grace_seconds=GRACE_SECONDS, reap=lambda: None)
    for folder in sys.argv[1:]:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
