import sys
from pathlib import Path

import pytest

from customer_pipeline.dev import command


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command in a virtual environment that nobody activated."""
    folder = tmp_path / "a project" / ".venv" / "bin"
    folder.mkdir(parents=True)
    script = folder / "customer-pipeline"
    script.touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(tmp_path / "a project")
    return script


@pytest.mark.usefixtures("script")
def test_below_the_working_directory_the_path_is_relative() -> None:
    assert command.written() == ".venv/bin/customer-pipeline"


def test_elsewhere_the_path_is_whole_and_quoted(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert command.written() == f"'{str(script)[1:]}'"

    monkeypatch.chdir("/usr")
    assert command.written() == f"'{script}'"


def test_where_the_shell_finds_it_the_name_is_enough(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(script.parent))

    assert command.written() == "customer-pipeline"


def test_another_command_of_that_name_on_the_path_is_not_meant(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / script.name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert command.written() == ".venv/bin/customer-pipeline"


def test_without_an_installed_command_the_name_is_all_there_is(script: Path) -> None:
    script.unlink()

    assert command.written() == "customer-pipeline"
