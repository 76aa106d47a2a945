from logging.handlers import BufferingHandler
from types import SimpleNamespace

import dagster as dg
import pytest

from customer_pipeline.defs import lines


def test_progress_is_logged_at_once_and_then_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(lines, "time", SimpleNamespace(monotonic=lambda: clock.seconds))
    logged = BufferingHandler(100)
    context = dg.build_op_context()
    context.log.addHandler(logged)
    said = lines.lines(context)
    for second in range(12):
        said(f"part {second}")
        clock.seconds += 1

    told = [record.getMessage().rpartition(" - ")[2] for record in logged.buffer]
    assert told == [f"part {second}" for second in range(0, 12, round(lines.SECONDS_BETWEEN_LINES))]
