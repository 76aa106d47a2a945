"""Process groups: whether one has members, and how it is ended. Imports little, so that the guardian is small."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence

POLL_SECONDS = 0.05
KILL_WAIT_SECONDS = 2.0


def alive(group: int) -> bool:
    """Return whether the process group has a member."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):  # macOS refuses when only zombies are left
        return False
    return True


def end(
    groups: Sequence[int], *, grace_seconds: float, reap: Callable[[], None], hurry: Callable[[], bool] = lambda: False
) -> None:
    """End every member of the groups: asked first, killed when the grace is over or a hurry arises.

    `reap` collects the caller's own children, which would otherwise stay members as zombies.
    """
    for number, wait_seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, KILL_WAIT_SECONDS)):
        for group in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)
        deadline = time.monotonic() + wait_seconds
        while time.monotonic() < deadline and not (number == signal.SIGTERM and hurry()):
            reap()
            if not any(alive(group) for group in groups):
                return
            time.sleep(POLL_SECONDS)
