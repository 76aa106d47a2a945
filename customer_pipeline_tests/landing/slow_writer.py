"""A process that lands a window and stops at a point, so that a test can kill it there.

Usage: python -m ... URI POINT. It prints the point when it is reached, and waits to be killed.
"""

import sys
import threading
from typing import NoReturn

from customer_pipeline.landing.storage import Storage
from customer_pipeline.landing.writer import ROW_GROUP_ROWS
from customer_pipeline_tests.landing.rows import SCHEMA, WINDOW, table


def stop(point: str) -> NoReturn:
    print(point, flush=True)  # noqa: T201 -- the test waits for it
    threading.Event().wait()
    raise AssertionError("the test kills this process")


def main(uri: str, point: str) -> None:
    from customer_pipeline.landing.store import LandingStore  # noqa: PLC0415 -- patched below first

    def commit(self: Storage, temporary: str, name: str) -> None:
        if point == "closed":
            stop(point)
        original(self, temporary, name)
        if point == "committed":
            stop(point)

    original = Storage.commit
    Storage.commit = commit  # type: ignore[method-assign]
    with LandingStore(uri).open_writer("things", WINDOW, SCHEMA) as writer:
        for _ in range(3):
            writer.write(table(ROW_GROUP_ROWS))
        if point == "written":
            stop(point)


if __name__ == "__main__":
    main(*sys.argv[1:])
