"""How far a backfill is, in windows: counted from its runs, which know before the backfill itself does. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from customer_pipeline.instance.runs import FAILED, SUCCEEDED, UNDER_WAY, PipelineRun
from customer_pipeline.windows import WINDOW_LENGTH, Window, split

# Of backfills, as Dagster has it.
UNFINISHED = frozenset({"REQUESTED", "CANCELING", "FAILING"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """A backfill's windows by state, which add up to `total`.

    Attributes:
        status: of the backfill, as Dagster has it.
        total: the windows that are to be published.
        done: those that were.
        failed: those that were not, in a run that has ended.
        running: those of a run that is under way.
        runs: all of its runs, newest first.
        error: the first line of what went wrong with the backfill itself, as opposed to its runs.
    """

    status: str
    total: int
    done: int
    failed: int
    running: int
    runs: tuple[PipelineRun, ...] = ()
    error: str | None = None

    @property
    def unfinished(self) -> bool:
        """Whether the backfill goes on."""
        return self.status in UNFINISHED

    @property
    def waiting(self) -> int:
        """The windows of no run yet, or of one that is queued."""
        return self.total - self.done - self.failed - self.running

    @property
    def others(self) -> list[str]:
        """How many windows are not done, by why."""
        numbers = {"running": self.running, "waiting": self.waiting, "failed": self.failed}
        return [f"{number} {name}" for name, number in numbers.items() if number]

    def __str__(self) -> str:
        return ", ".join([f"{self.done} of {self.total} windows done", *self.others])


def count(
    targeted: Iterable[Window],
    runs: Sequence[PipelineRun],
    *,
    status: str,
    published: int = 0,
    failed: int = 0,
    error: str | None = None,
) -> Progress:
    """Return the progress of a backfill.

    Args:
        targeted: the ranges that it publishes.
        runs: its runs, newest first. The newest of a window says how that is; one that publishes nothing says nothing.
        status: of the backfill.
        published: how many windows it knows to be done itself, which it learns later than the runs.
        failed: how many it knows to have failed.
        error: what went wrong with it.
    """
    states: dict[Window, str] = {}
    for run in reversed(runs):
        if run.publishes and run.windows:
            states |= dict.fromkeys(split(run.windows.start, run.windows.end), run.status)
    total = sum((window.end - window.start) // WINDOW_LENGTH for window in targeted)
    numbers = Counter(states.values())
    done = min(total, max(published, _sum(numbers, SUCCEEDED)))
    failed = min(total - done, max(failed, _sum(numbers, FAILED)))
    running = min(total - done - failed, _sum(numbers, UNDER_WAY))
    return Progress(
        status=status, total=total, done=done, failed=failed, running=running, runs=tuple(runs), error=error
    )


def _sum(numbers: Counter[str], statuses: frozenset[str]) -> int:
    return sum(numbers[status] for status in statuses)
