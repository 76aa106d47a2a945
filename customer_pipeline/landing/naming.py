"""How the files of the landing store are named: by window, or by part of a snapshot. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from customer_pipeline.timestamps import format_instant, parse_instant
from customer_pipeline.windows import Window

SNAPSHOTS = "snapshots"
# Datasets of a snapshot without rows: that it was begun, by which profile, and that all of it was published.
BEGINNING = "beginning"
COMPLETION = "completion"

_DATASET = re.compile(r"[a-z][a-z0-9_]*")


class Naming(Protocol):
    """Names files, and reads the names again."""

    def folder(self, dataset: str) -> str:
        """Return the folder of a dataset's files."""

    def name(self, dataset: str, window: Window) -> str:
        """Return the name of a file."""

    def label(self, window: Window) -> str:
        """Return what a person calls the window, and its file remembers."""

    def window(self, name: str) -> Window | None:
        """Return the window that the last part of a name stands for, None where it is none."""


class ByWindow:
    """`<dataset>/<YYYY-MM-DD>/<window key>.parquet`."""

    def folder(self, dataset: str) -> str:
        """Return the folder of a dataset's files."""
        return _checked(dataset)

    def name(self, dataset: str, window: Window) -> str:
        """Return the name of a window's file."""
        if window != Window.from_key(window.key):
            raise ValueError(f"[{window.start}, {window.end}) is more or less than one window; split it")
        return f"{self.folder(dataset)}/{window.start.date()}/{window.key}.parquet"

    def label(self, window: Window) -> str:
        """Return the window's key."""
        return window.key

    def window(self, name: str) -> Window | None:
        """Return the window of a file."""
        try:
            return Window.from_key(_stem(name))
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class ByPart:
    """`snapshots/<as_of>/<dataset>/<start>--<end>.parquet`, the instants without colons.

    Attributes:
        as_of: which snapshot: the end of all of its parts.
    """

    as_of: datetime

    @property
    def home(self) -> str:
        """The folder of all datasets of the snapshot."""
        return f"{SNAPSHOTS}/{written(self.as_of)}"

    def folder(self, dataset: str) -> str:
        """Return the folder of a dataset's files."""
        return f"{self.home}/{_checked(dataset)}"

    def name(self, dataset: str, window: Window) -> str:
        """Return the name of a part's file."""
        return f"{self.folder(dataset)}/{self.label(window)}.parquet"

    def label(self, window: Window) -> str:
        """Return the part's bounds."""
        return f"{written(window.start)}--{written(window.end)}"

    def window(self, name: str) -> Window | None:
        """Return the part of a file."""
        start, _, end = _stem(name).partition("--")
        try:
            return Window(read(start), read(end))
        except ValueError:
            return None


def written(instant: datetime) -> str:
    """Return an instant as a part of a file's name: the contract's form without colons, which Windows refuses."""
    return format_instant(instant).replace(":", "")


def read(text: str) -> datetime:
    """Return the instant that `written` wrote.

    Raises:
        ValueError: if it is none.
    """
    date, _, time = text.partition("T")
    return parse_instant(f"{date}T{time[:2]}:{time[2:4]}:{time[4:]}")


def is_dataset(name: str) -> bool:
    """Return whether a dataset may have that name."""
    return bool(_DATASET.fullmatch(name))


def _checked(dataset: str) -> str:
    if not is_dataset(dataset):
        raise ValueError(f"{dataset!r} is no name of a dataset; use lower-case letters, digits and underscores")
    return dataset


def _stem(name: str) -> str:
    return name.rpartition("/")[2].removesuffix(".parquet")
