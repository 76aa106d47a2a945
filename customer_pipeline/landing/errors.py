"""What can go wrong in the landing store, as types that say what to do. They name files, never values."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

REPLACED_BY = "materialize the window from raw_customers on, which replaces the file"

_AWS = re.compile(r"AWS Error ([A-Z_]+)(?: \(HTTP status (\d+)\))? during (\w+) operation")
_AWS_PASSES = frozenset(
    {"NETWORK_CONNECTION", "SLOW_DOWN", "THROTTLING", "SERVICE_UNAVAILABLE", "INTERNAL_FAILURE", "REQUEST_TIMEOUT"}
)
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_PASSES = frozenset({errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.EMFILE, errno.ENFILE})


class LandingError(Exception):
    """The landing store cannot be read or written.

    Attributes:
        transient: whether trying again later can succeed without a person changing anything.
    """

    def __init__(self, message: str, *, transient: bool = False) -> None:
        self.transient = transient
        super().__init__(message)


class NotLanded(LandingError):  # noqa: N818 -- says what is the case
    """A window was never landed, or is landed no longer."""


class Damaged(LandingError):  # noqa: N818 -- says what is the case
    """A file is none that the landing store writes now: damaged, foreign, or with other columns.

    Attributes:
        uri: of the file.
    """

    def __init__(self, uri: str, problem: str) -> None:
        self.uri = uri
        super().__init__(f"{uri}: {problem}")


class Forgotten(LandingError):  # noqa: N818 -- says what is the case
    """What was landed is older than deletions are remembered: publishing it could revive a deleted customer."""


@contextmanager
def explained(uri: str) -> Iterator[None]:
    """Turn what pyarrow and the operating system raise about the file at `uri` into a `LandingError`."""
    try:
        yield
    except OSError as error:
        raise _of_storage(uri, error) from error
    except (pa.ArrowException, UnicodeDecodeError) as error:
        name = type(error).__name__
        raise Damaged(uri, f"not a whole Parquet file of the landing store ({name}); {REPLACED_BY}") from error


def _of_storage(uri: str, error: OSError) -> LandingError:
    if found := _AWS.search(str(error)):
        return _of_s3(uri, code=found[1], status=int(found[2] or 0), operation=found[3])
    if error.errno in _FULL:
        return LandingError(
            f"{uri}: no room left to write; free space or raise the quota, then it heals by itself", transient=True
        )
    if error.errno in _DENIED:
        return LandingError(f"{uri}: access denied; let the user of the pipeline read and write LANDING_URI")
    if isinstance(error, FileNotFoundError):
        return LandingError(
            f"{uri}: removed by someone else while in use; it heals by itself when a later tick succeeds",
            transient=True,
        )
    if error.errno is None:
        return Damaged(uri, f"its contents are damaged; {REPLACED_BY}")
    name = errno.errorcode.get(error.errno, str(error.errno))
    return LandingError(
        f"{uri}: the file system answered {name}; see that LANDING_URI is a directory that can be read and written",
        transient=error.errno in _PASSES,
    )


def _of_s3(uri: str, *, code: str, status: int, operation: str) -> LandingError:
    answer = f"{uri}: S3 answered {operation} with {code}" + (f" (status {status})" if status else "")
    if code in _AWS_PASSES or status >= 500 or status == 429:  # noqa: PLR2004 -- HTTP statuses
        return LandingError(f"{answer}; it heals by itself when a later tick succeeds", transient=True)
    if code == "NO_SUCH_BUCKET":
        return LandingError(f"{answer}; create the bucket, or correct LANDING_URI")
    return LandingError(f"{answer}; check the credentials, their policy and the bucket that LANDING_URI names")
