"""A backfill's progress on the screen: a bar on a terminal, a line at each change elsewhere."""

import contextlib
import sys

from tqdm import tqdm

from customer_pipeline.commands.output import say
from customer_pipeline.instance.progress import Progress

_BAR = "{percentage:3.0f}%|{bar}| {n_fmt} of {total_fmt} windows{postfix} [{elapsed}]"


class Display:
    """Shows one backfill until it is closed."""

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._bar: tqdm[object] | None = None
        self._last = ""

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        if self._bar is not None:
            with contextlib.suppress(OSError):
                self._bar.clear()
        say(text)

    def show(self, progress: Progress) -> None:
        """Show how far it is."""
        if self._is_terminal:
            with contextlib.suppress(OSError):  # a terminal that is gone
                self._draw(progress)
        elif str(progress) != self._last:
            say(str(progress))
        self._last = str(progress)

    def close(self) -> None:
        """Leave the bar as it is and begin a new line."""
        if self._bar is not None:
            with contextlib.suppress(OSError):
                self._bar.close()
            self._bar = None

    def _draw(self, progress: Progress) -> None:
        if self._bar is None:
            tqdm.monitor_interval = 0  # no thread that redraws
            self._bar = tqdm([], total=progress.total, bar_format=_BAR, file=sys.stdout, dynamic_ncols=True)
        bar = self._bar
        bar.n = progress.done
        bar.set_postfix_str(", ".join(progress.others), refresh=False)
        bar.refresh()
