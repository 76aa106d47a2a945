"""Where files lie: a directory or an S3 prefix by URI. Files come into being whole, under a temporary name first."""

import logging
import os
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

import pyarrow as pa
from pyarrow import fs

from customer_pipeline import timestamps
from customer_pipeline.landing.errors import LandingError, explained

INCOMPLETE = "_incomplete"
STALE_AFTER = timedelta(days=1)

_EXPECTED = "expected file:///absolute/directory or s3://bucket/prefix"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class File:
    """A file as a listing shows it.

    Attributes:
        name: below the URI.
        bytes: its size.
        at: when it was written.
    """

    name: str
    bytes: int
    at: datetime


class Storage:
    """Files below one URI; nothing is touched before the first use.

    Attributes:
        uri: where the files are, without the query that says how to reach them.

    Raises:
        LandingError: if the URI is malformed.
    """

    def __init__(self, uri: str) -> None:
        parts = _parse(uri)
        self._given = uri
        self._is_local = parts.scheme == "file"
        self._bucket = parts.netloc
        self.uri = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self._root = f"{parts.netloc}{unquote(parts.path)}".rstrip("/")
        self._swept = False

    @cached_property
    def filesystem(self) -> fs.FileSystem:
        """The file system, reached on first use."""
        try:
            with explained(self.uri):
                return fs.FileSystem.from_uri(self._given)[0]
        except LandingError as error:
            if isinstance(error.__cause__, pa.ArrowInvalid):
                raise LandingError(f"{self.uri}: the URI or its query is malformed; {_EXPECTED}") from None
            raise

    def path(self, name: str) -> str:
        """Return the path of `name` within the file system."""
        return f"{self._root}/{name}"

    def size(self, name: str) -> int | None:
        """Return the bytes of a file, or None when there is none."""
        info = self.filesystem.get_file_info(self.path(name))
        if info.type is fs.FileType.NotFound:
            if not self._is_local and self.filesystem.get_file_info(self._bucket).type is fs.FileType.NotFound:
                raise LandingError(f"{self.uri}: there is no such bucket; create it, or correct LANDING_URI")
            return None
        if not info.is_file:
            raise LandingError(f"{self.uri}/{name}: a directory stands where a file belongs; remove it")
        return int(info.size)

    def open(self, name: str) -> pa.NativeFile:
        """Open a file for reading."""
        return self.filesystem.open_input_file(self.path(name))

    def is_replaced(self, name: str, file: pa.NativeFile) -> bool:
        """Whether `file` is no longer what has that name; on a local disk an open file never changes."""
        if self._is_local:
            return False
        try:
            with self.open(name) as present:
                return bool(present.metadata().get("ETag") != file.metadata().get("ETag"))
        except FileNotFoundError:
            return True

    def create_temporary(self) -> tuple[str, pa.NativeFile]:
        """Return the name of a new temporary file, which no other writer has, and the open file."""
        name = f"{INCOMPLETE}/{uuid.uuid4().hex}.parquet"
        if self._is_local:
            self.filesystem.create_dir(self.path(INCOMPLETE), recursive=True)
        if not self._swept:
            self._swept = True
            self._sweep()
        return name, self.filesystem.open_output_stream(self.path(name))

    def commit(self, temporary: str, name: str) -> None:
        """Give a closed temporary file its final name, in place of a file that has it.

        On a local disk both the contents and the name have reached the disk on return. On S3 the move is a copy within
        the bucket, which is all or nothing; a window's file must not exceed the five gigabytes of one copy.
        """
        source, target = self.path(temporary), self.path(name)
        if not self._is_local:
            self.filesystem.move(source, target)
            return
        folder = Path(target).parent
        self.filesystem.create_dir(str(folder), recursive=True)
        _to_disk(Path(source))
        self.filesystem.move(source, target)
        for part in (folder, folder.parent, Path(self._root)):
            _to_disk(part)

    def discard(self, temporary: str) -> None:
        """Remove a closed temporary file; one that cannot be removed now is swept after a day."""
        try:
            with suppress(FileNotFoundError):
                self.filesystem.delete_file(self.path(temporary))
        except OSError as error:
            log.warning("%s/%s was left behind: %s", self.uri, temporary, type(error).__name__)

    def files(self, folder: str) -> list[File]:
        """Return all files below a folder, sorted by name; nothing where there is no such folder."""
        selector = fs.FileSelector(self.path(folder), allow_not_found=True, recursive=True)
        prefix = len(self.path(""))
        found = [info for info in self.filesystem.get_file_info(selector) if info.is_file]
        files = [File(info.path[prefix:], int(info.size), info.mtime) for info in found]
        return sorted(files, key=lambda file: file.name)

    def folders(self, folder: str) -> list[str]:
        """Return the names of the folders right below a folder, sorted; nothing where there is no such folder."""
        selector = fs.FileSelector(self.path(folder), allow_not_found=True)
        found = self.filesystem.get_file_info(selector)
        return sorted(info.base_name for info in found if info.type is fs.FileType.Directory)

    def remove(self, name: str) -> None:
        """Remove a file, on a local disk with the folders that are empty without it; a missing one is all right."""
        with suppress(FileNotFoundError):
            self.filesystem.delete_file(self.path(name))
        if self._is_local:
            self._remove_empty_folders(name)

    def _remove_empty_folders(self, name: str) -> None:
        folder = Path(self.path(name)).parent
        with suppress(OSError):  # one that is not empty cannot be removed
            while folder != Path(self._root):
                folder.rmdir()
                folder = folder.parent

    def _sweep(self) -> None:
        deadline = timestamps.now() - STALE_AFTER
        try:
            found = self.filesystem.get_file_info(fs.FileSelector(self.path(INCOMPLETE), allow_not_found=True))
        except OSError as error:
            log.warning("%s/%s was not swept: %s", self.uri, INCOMPLETE, type(error).__name__)
            return
        for info in found:
            if info.is_file and info.mtime < deadline:
                log.info("removing %s, which a killed run left behind", info.base_name)
                self.discard(f"{INCOMPLETE}/{info.base_name}")


def _parse(uri: str) -> SplitResult:
    try:
        parts = urlsplit(uri)
    except ValueError:
        raise LandingError(f"the landing URI cannot be parsed; {_EXPECTED}") from None
    if "@" in parts.netloc:
        raise LandingError(f"the landing URI holds credentials; they belong into the environment; {_EXPECTED}")
    if parts.scheme not in ("file", "s3"):
        raise LandingError(f"the landing URI {uri!r} has no scheme that is known; {_EXPECTED}")
    if parts.scheme == "file" and (parts.netloc or not parts.path.startswith("/") or parts.query):
        raise LandingError(f"the landing URI {uri!r} names no absolute directory; {_EXPECTED}")
    if parts.scheme == "s3" and not parts.netloc:
        raise LandingError(f"the landing URI {uri!r} names no bucket; {_EXPECTED}")
    if parts.fragment or any(character.isspace() for character in uri):
        raise LandingError(f"the landing URI {uri!r} holds white space or '#'; percent-encode them")
    return parts


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
