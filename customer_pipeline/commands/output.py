"""What commands print. A reader that has gone away, such as a closed pipe or terminal, is no failure of theirs."""

import contextlib
import os
import sys

FAILED = 1
MISCONFIGURED = 2


def say(text: str) -> None:
    """Print a line."""
    try:
        print(text, flush=True)
    except OSError:  # The terminal is gone; the end of the process would fail on what is buffered.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(error: Exception | str, *, code: int = FAILED) -> int:
    """Print what went wrong and return the exit code."""
    with contextlib.suppress(OSError):
        print(f"customer-pipeline: {error}", file=sys.stderr)
    return code
