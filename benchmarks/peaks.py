"""The peak memory of a process, step by step."""

import resource
import sys
import time
from pathlib import Path

_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


class Peaks:
    """The highest resident memory of each step, in MiB.

    Linux forgets the highest value on request (`clear_refs`), and keeps one for each process image; `ru_maxrss` begins
    with that of the parent. Elsewhere it is `ru_maxrss`, which never falls from step to step.
    """

    def __init__(self) -> None:
        self.steps: dict[str, float] = {}

    def note(self, step: str) -> None:
        """Note the peak since the last note, and tell a person who waits."""
        self.steps[step] = _highest()
        print(f"  {step}: {self.steps[step]:,.0f} MiB after {time.process_time():,.0f} s of CPU", file=sys.stderr)
        if _CLEAR_REFS.exists():
            _CLEAR_REFS.write_text("5")


def _highest() -> float:
    if _STATUS.exists():
        fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) / 1024
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
