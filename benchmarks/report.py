"""What was measured, as rows; the table on the terminal, the JSON, and the bars that were missed."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.rig import Spread


@dataclass(frozen=True, kw_only=True)
class Bar:
    """What a ratio must reach: at least, or at most."""

    limit: float
    at_most: bool = False

    def holds(self, value: float) -> bool:
        """Say whether `value` reaches the bar."""
        return value <= self.limit if self.at_most else value >= self.limit

    def __str__(self) -> str:
        return f"{'<=' if self.at_most else '>='} {self.limit:g}"


@dataclass(frozen=True)
class Speed:
    """Records a second of one thing."""

    name: str
    records: int
    rate: Spread


@dataclass(frozen=True)
class Latency:
    """Requests a second of one kind, and how long an answer took, in milliseconds."""

    name: str
    rate: Spread
    p50: Spread
    p99: Spread


@dataclass(frozen=True)
class Ratio:
    """How one measurement compares with another of the same run, and what it must reach."""

    name: str
    ratio: Spread
    bar: Bar | None = None

    @property
    def missed(self) -> bool:
        """Whether there is a bar and the median does not reach it."""
        return self.bar is not None and not self.bar.holds(self.ratio.value)


@dataclass(frozen=True)
class Memory:
    """Peak resident memory of one fresh process, and of each of its steps, in MiB; and how long it took."""

    name: str
    records: int
    peak: float
    steps: dict[str, float]
    seconds: float


@dataclass
class Report:
    """Everything that one run measured."""

    setting: str
    speeds: list[Speed] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def missed(self) -> list[Ratio]:
        """The ratios below their bars."""
        return [ratio for ratio in self.ratios if ratio.missed]

    def write_json(self, path: Path) -> None:
        """Write everything, for machines."""
        document = asdict(self) | {"missed": [ratio.name for ratio in self.missed]}
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")

    def lines(self) -> list[str]:
        """Return the table, for people."""
        tables = (self._speed_lines(), self._latency_lines(), self._memory_lines(), self._ratio_lines())
        return [self.setting, *(line for table in tables for line in table), *self.notes]

    def _speed_lines(self) -> list[str]:
        rows = [
            (
                speed.name,
                f"{speed.records:,}",
                f"{speed.rate.value:,.0f}",
                f"{speed.rate.low:,.0f}-{speed.rate.high:,.0f}",
            )
            for speed in self.speeds
        ]
        return _table(("records/s, median", "records", "records/s", "min-max"), rows)

    def _latency_lines(self) -> list[str]:
        rows = [
            (
                row.name,
                f"{row.rate.value:,.0f}",
                f"{row.rate.low:,.0f}-{row.rate.high:,.0f}",
                f"{row.p50.value:,.1f}",
                f"{row.p99.value:,.1f}",
                f"{row.p99.low:,.1f}-{row.p99.high:,.1f}",
            )
            for row in self.latencies
        ]
        return _table(("requests/s, median", "requests/s", "min-max", "p50 ms", "p99 ms", "min-max"), rows)

    def _memory_lines(self) -> list[str]:
        rows = [
            (
                row.name,
                f"{row.records:,}",
                f"{row.seconds:,.1f}",
                f"{row.peak:,.0f}",
                ", ".join(f"{step} {peak:,.0f}" for step, peak in row.steps.items()),
            )
            for row in self.memory
        ]
        return _table(("peak memory", "records", "seconds", "MiB", "highest in each step"), rows)

    def _ratio_lines(self) -> list[str]:
        rows = [
            (
                row.name,
                f"{row.ratio.value:.2f}",
                f"{row.ratio.low:.2f}-{row.ratio.high:.2f}",
                str(row.bar or ""),
                "" if row.bar is None else "MISSED" if row.missed else "ok",
            )
            for row in self.ratios
        ]
        return _table(("ratio, within this run", "median", "min-max", "bar", ""), rows)


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Lay out columns: the first to the left, numbers to the right; nothing for no rows."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]

    def line(row: tuple[str, ...]) -> str:
        first, *rest = (
            text.ljust(width) if index in (0, len(row) - 1) else text.rjust(width)
            for index, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        return "  ".join([first, *rest]).rstrip()

    return ["", line(header), "  ".join("-" * width for width in widths), *(line(row) for row in rows)]
