"""The folder of the embedded stack: where its state lies, who holds it, and when its history starts."""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import customer_pipeline
from customer_pipeline.timestamps import format_instant, now
from customer_pipeline.windows import floor

HOME_VARIABLE = "CUSTOMER_PIPELINE_HOME"
DEFAULT_HOME = ".customer_pipeline"
FIRST_HISTORY = timedelta(hours=24)


class HomeUnusable(Exception):  # noqa: N818 -- says what is the case
    """The folder cannot be made or written; the message says how another is chosen."""


class HomeInUse(Exception):  # noqa: N818 -- says what happened
    """Another stack runs on this folder."""


class Home:
    """The state folder. `prepare` and `lock` raise `HomeUnusable` where it cannot be made or written."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Return the folder that the environment names, or the default below the working directory."""
        return cls(Path(environ.get(HOME_VARIABLE) or DEFAULT_HOME))

    @property
    def dagster(self) -> Path:
        """The instance's folder, unless `DAGSTER_HOME` names another."""
        return self.path / "dagster"

    @property
    def landing(self) -> Path:
        """The landing store, unless `LANDING_URI` names another."""
        return self.path / "landing"

    @property
    def cache(self) -> Path:
        """The append-only file of the embedded Valkey."""
        return self.path / "cache"

    @property
    def sandbox(self) -> Path:
        """The sandbox provider's state."""
        return self.path / "sandbox.db"

    @property
    def api_keys(self) -> Path:
        """The keys of the read API, unless `API_KEYS_FILE` names another file."""
        return self.path / "api-keys.json"

    @property
    def logs(self) -> Path:
        """One log a service."""
        return self.path / "logs"

    def prepare(self) -> None:
        """Make the folders and bring the instance's configuration up to date."""
        configuration = _instance_configuration()
        with self._usable():
            for folder in (self.dagster, self.landing, self.cache, self.logs):
                folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(configuration, self.dagster / "dagster.yaml")

    def start(self) -> str:
        """Return where the first window starts: chosen at the first call, the same ever after."""
        file = self.path / "start"
        if not file.exists():
            draft = file.with_suffix(".new")
            draft.write_text(format_instant(floor(now() - FIRST_HISTORY)) + "\n", encoding="utf-8")
            draft.replace(file)
        return file.read_text(encoding="utf-8").strip()

    def running(self) -> dict[str, Any]:
        """Return what the stack that runs on this folder recorded; nothing when none runs."""
        try:
            with self._lock_file.open(encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return {}
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return {}
        except BlockingIOError:
            content: dict[str, Any] = json.loads(self._lock_file.read_text(encoding="utf-8") or "{}")
            return content

    def lock(self) -> "HomeLock":
        """Hold the folder, or raise `HomeInUse`."""
        with self._usable():
            self.path.mkdir(parents=True, exist_ok=True)
            return HomeLock(self._lock_file, self)

    @contextlib.contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise HomeUnusable(
                f"the folder {self.path} cannot be made or written ({error.strerror}): "
                f"set {HOME_VARIABLE} to one that can"
            ) from error

    @property
    def _lock_file(self) -> Path:
        return self.path / "running.json"


class HomeLock:
    """Exclusive use of a home, released by the end of the last process that holds the descriptor."""

    def __init__(self, file: Path, home: Home) -> None:
        self.descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self.descriptor)
            facts = home.running()
            where = f" (process {facts['pid']}, {facts['ui']})" if facts else ""
            raise HomeInUse(
                f"a stack already runs on {home.path}{where}: end it, or choose another folder with {HOME_VARIABLE}"
            ) from None
        os.ftruncate(self.descriptor, 0)

    def record(self, **facts: Any) -> None:
        """Tell other commands where this stack is."""
        os.pwrite(self.descriptor, json.dumps({"pid": os.getpid(), **facts}).encode(), 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.descriptor)


def _instance_configuration() -> Path:
    """Return the `dagster.yaml` of the repository, or the copy that an installed package has."""
    package = Path(customer_pipeline.__file__).parent
    for candidate in (package.parent / "dagster.yaml", package / "dev" / "dagster.yaml"):
        if candidate.exists():
            return candidate
    raise FileNotFoundError(f"dagster.yaml is neither at {package.parent} nor in the package")
