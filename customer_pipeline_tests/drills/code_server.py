"""The code server whose run workers are forked from a process that has imported everything, for long runs of drills.

A worker is a process of its own as always, which can be killed; it only begins without three seconds of imports.
"""

import multiprocessing
import sys
from multiprocessing.context import BaseContext
from typing import Any

from dagster._cli import main

PRELOADED = ["customer_pipeline.definitions", "dagster._grpc.impl"]


def warm() -> BaseContext:
    """Return what makes processes by forking a warm one."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


if __name__ == "__main__":
    context: Any = warm()
    multiprocessing.get_context = lambda *_: context
    command: Any = main
    sys.exit(command())
