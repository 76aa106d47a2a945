"""Feast's own virtual environment: made on demand from `feast.txt`, beside this file, and kept until that changes."""

import hashlib
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / ".feast"
LOCK = Path(__file__).parent / "feast.txt"
PYTHON = FOLDER / "bin" / "python"


class FeastUnavailableError(RuntimeError):
    """Feast's environment cannot be made here; the message says why in one line."""


def feast_python() -> Path:
    """Return the interpreter that has Feast, after installing it if need be.

    Raises:
        FeastUnavailableError: if the environment cannot be made, for want of a network for example.
    """
    stamp = FOLDER / "installed"
    lock = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == lock:
        return PYTHON
    print("installing Feast into benchmarks/.feast (once, about a minute)", file=sys.stderr)
    _run("venv", [sys.executable, "-m", "venv", "--clear", str(FOLDER)])
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    _run("pip", [*pip, "install", "--require-hashes", "--only-binary", ":all:", "-r", str(LOCK)])
    stamp.write_text(lock)
    return PYTHON


def _run(name: str, command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise FeastUnavailableError(f"{name} failed: {said[-1] if said else 'it says nothing'}")
