"""The file of the keys: changed by the command line, read again by the service when it has changed."""

import contextlib
import fcntl
import json
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from customer_pipeline.api.credentials import Key, Keyring

_LOG = logging.getLogger(__name__)
_LOOK_AGAIN_SECONDS = 1.0


class KeyFileError(Exception):
    """The file holds something else, or cannot be read or written; the message says which."""


def read(path: Path) -> list[Key]:
    """Return the keys; none where there is no file.

    Raises:
        KeyFileError: if it cannot be read, or holds something else.
    """
    try:
        return [Key.parse(content) for content in json.loads(path.read_bytes())["keys"]]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise KeyFileError(f"the file of the keys cannot be read ({error.strerror}): {path}") from None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise KeyFileError(f"the file of the keys holds something else: {path}") from None


@contextlib.contextmanager
def changed(path: Path) -> Iterator[list[Key]]:
    """Give the keys to be changed in place, and write them as a whole; others that want to change them wait.

    Raises:
        KeyFileError: if it cannot be read or written, or holds something else.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise KeyFileError(f"the file of the keys cannot be written ({error.strerror}): {path}") from None
    with open(lock) as held:  # noqa: PTH123 -- a descriptor
        fcntl.flock(held, fcntl.LOCK_EX)
        keys = read(path)
        yield keys
        _write(path, keys)


def _write(path: Path, keys: list[Key]) -> None:
    content = json.dumps({"keys": [key.dump() for key in keys]}, indent=2) + "\n"
    try:
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # its mode is 0600
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 -- a descriptor
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        Path(draft).replace(path)
    except OSError as error:
        raise KeyFileError(f"the file of the keys cannot be written ({error.strerror}): {path}") from None


class KeyFile:
    """The keys of a file, as they are now or were a second ago. A file that cannot be used lets nobody in."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: object = None
        self._look_at = 0.0
        self._keyring = Keyring([])

    @property
    def keyring(self) -> Keyring:
        """The keys that exist."""
        at = time.monotonic()
        if at >= self._look_at:
            self._look_at = at + _LOOK_AGAIN_SECONDS
            self._look()
        return self._keyring

    def _look(self) -> None:
        try:
            found = self._path.stat()
            seen: object = (found.st_mtime_ns, found.st_size, found.st_ino)
        except OSError:
            seen = None
        if seen is not None and seen == self._seen:
            return
        try:
            self._keyring = Keyring(read(self._path))
        except KeyFileError as error:
            self._keyring = Keyring([])
            _LOG.error("nobody is let in: %s", error)
            seen = None
        self._seen = seen
