import importlib.metadata
import os
import runpy
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from customer_pipeline import cli
from customer_pipeline.dev.home import Home
from customer_pipeline_tests.servers import SandboxServer, ValkeyServer, free_port


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty state folder, and no setting at all."""
    for name in ("PROVIDER_PROFILE", "SANDBOX_URL", "SANDBOX_TOKEN", "REDIS_URL", "LANDING_URI", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("CUSTOMER_PIPELINE_START", raising=False)
    monkeypatch.setenv("CUSTOMER_PIPELINE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def complaint(capsys: pytest.CaptureFixture[str]) -> "Complaint":
    return Complaint(capsys)


class Complaint:
    """Runs a command that fails and returns what it wrote to stderr."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *arguments: str, code: int = 1) -> str:
        assert cli.main(arguments) == code
        error = self.capsys.readouterr().err
        assert error.startswith("customer-pipeline: ")
        assert "Traceback" not in error
        return error.removeprefix("customer-pipeline: ").rstrip("\n")


@pytest.fixture
def _settings(sandbox: SandboxServer, valkey: ValkeyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVIDER_PROFILE", "sandbox")
    monkeypatch.setenv("SANDBOX_URL", sandbox.url)
    monkeypatch.setenv("SANDBOX_TOKEN", "sandbox-token")
    monkeypatch.setenv("REDIS_URL", valkey.url.replace("redis://", "redis://nobody:secret-of-redis@"))
    monkeypatch.setenv("LANDING_URI", tmp_path.as_uri())
    monkeypatch.setenv("CUSTOMER_PIPELINE_START", "2026-11-01T00:00:00Z")


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == importlib.metadata.version("customer-pipeline")


def test_the_module_is_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["customer-pipeline", "check"])
    monkeypatch.delitem(sys.modules, "customer_pipeline.cli")

    with pytest.raises(SystemExit) as ended:
        runpy.run_module("customer_pipeline.cli", run_name="__main__")

    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dev", "--port", "0"], "'0' is no port; expected a number from 1 to 65535"),
        (["dev", "--cache-port", "65536"], "'65536' is no port"),
        (["dev", "--provider-port", "http"], "'http' is no port"),
        (["dev", "--api-port", "-1"], "'-1' is no port"),
        (["api", "--port", "0"], "'0' is no port"),
        (["sandbox", "fault", "down", "--for", "soon"], "'soon' is no duration; expected one such as 30s, 15m or 1h"),
        (["sandbox", "fault"], "the following arguments are required: NAME"),
        (["backfill", "2026-11-23T1450Z"], "the following arguments are required: END"),
        (["backfill", "a", "b", "--sample", "-1"], "'-1' is no number of customers; expected 0 to 1000"),
        (["backfill", "a", "b", "--sample", "many"], "'many' is no number of customers; expected 0 to 1000"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_a_wrong_argument_is_explained(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)

    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_taken_port_is_one_line_and_nothing_is_started(complaint: Complaint, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        said = complaint(
            "dev",
            "--port",
            str(free_port()),
            "--cache-port",
            str(port),
            "--provider-port",
            str(free_port()),
            "--api-port",
            str(free_port()),
        )

    assert said == f"port {port} for the cache is taken: choose another one with --cache-port"
    assert list((home / "logs").iterdir()) == []


def test_a_malformed_setting_of_the_stack_is_named_with_exit_code_2(
    complaint: Complaint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVIDER_PROFILE", "datasette")
    monkeypatch.setenv("REDIS_URL", "memcached://host")

    said = complaint("dev", code=2)

    assert "  DATASETTE_URL: is not set" in said
    assert "  REDIS_URL: has another scheme" in said


def test_a_given_cache_that_does_not_answer_is_one_line_without_its_password(
    complaint: Complaint, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = [str(free_port()) for _ in range(4)]
    monkeypatch.setenv("REDIS_URL", f"redis://user:secret-of-redis@127.0.0.1:{ports[0]}/0")

    said = complaint("dev", "--port", ports[1], "--provider-port", ports[2], "--api-port", ports[3])

    assert said.startswith(f"REDIS_URL (redis://user:***@127.0.0.1:{ports[0]}/0): the cache cannot be reached")
    assert said.endswith("Connection refused")
    assert "window" not in said
    assert "secret-of-redis" not in said
    assert len(said.splitlines()) == 1


def test_the_api_without_a_cache_names_what_lacks(complaint: Complaint) -> None:
    assert "  REDIS_URL: is not set" in complaint("api", code=2)


def test_the_api_without_its_packages_says_how_they_are_installed(
    complaint: Complaint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("customer_pipeline.commands.api.is_installed", lambda: False)

    assert complaint("api") == "the read API is not installed: pip install 'customer-pipeline[api]'"


def test_a_home_in_use_is_one_line(complaint: Complaint, home: Path) -> None:
    with Home(home).lock():
        said = complaint("dev")

    assert said.startswith(f"a stack already runs on {home}")


def test_a_home_that_cannot_be_made_is_one_line(complaint: Complaint, home: Path) -> None:
    home.write_text("a file")

    assert complaint("dev") == (
        f"the folder {home} cannot be made or written (File exists): set CUSTOMER_PIPELINE_HOME to one that can"
    )
    assert complaint("sandbox", "faults", "--url", f"http://127.0.0.1:{free_port()}").startswith("no sandbox answers")


def test_a_landing_store_that_cannot_be_written_is_one_line_and_nothing_is_started(
    complaint: Complaint, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "landing").write_text("a file")
    monkeypatch.setenv("LANDING_URI", (tmp_path / "landing").as_uri())
    ports = [str(free_port()) for _ in range(4)]

    said = complaint(
        "dev", "--port", ports[0], "--cache-port", ports[1], "--provider-port", ports[2], "--api-port", ports[3]
    )

    assert said.startswith(f"LANDING_URI: {(tmp_path / 'landing').as_uri()}: the file system answered ENOTDIR")
    assert len(said.splitlines()) == 1
    assert list((home / "logs").iterdir()) == []


def test_check_names_everything_that_is_wrong(complaint: Complaint) -> None:
    said = complaint("check", code=2)

    for name in ("PROVIDER_PROFILE", "REDIS_URL", "LANDING_URI", "CUSTOMER_PIPELINE_START"):
        assert f"  {name}: is not set" in said


@pytest.mark.usefixtures("_settings")
def test_check_accepts_a_complete_environment_and_shows_no_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDBOX_TOKEN", "a-token-of-the-sandbox")

    assert cli.main(["check"]) == 0

    said = capsys.readouterr().out
    assert said.startswith("OK: Settings(profile='sandbox'")
    assert "a-token-of-the-sandbox" not in said
    assert "secret-of-redis" not in said


@pytest.mark.usefixtures("_settings")
def test_check_asks_cache_and_provider_when_told_to(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, valkey: ValkeyServer, tmp_path: Path
) -> None:
    monkeypatch.setenv("REDIS_URL", valkey.url)
    monkeypatch.setenv("LANDING_URI", (tmp_path / "a b").as_uri())

    assert cli.main(["check", "--connect"]) == 0
    assert capsys.readouterr().out.startswith("OK: ")
    assert [path for path in (tmp_path / "a b").rglob("*") if path.is_file()] == []


@pytest.mark.usefixtures("_settings")
def test_check_writes_into_the_landing_store(
    complaint: Complaint, monkeypatch: pytest.MonkeyPatch, valkey: ValkeyServer, tmp_path: Path
) -> None:
    (tmp_path / "landing" / "_incomplete").mkdir(parents=True)
    (tmp_path / "landing" / "_incomplete").chmod(0o500)
    monkeypatch.setenv("REDIS_URL", valkey.url)
    monkeypatch.setenv("LANDING_URI", f"file://{tmp_path}/landing")

    if os.geteuid() == 0:  # who may write everywhere
        (tmp_path / "landing" / "_incomplete").rmdir()
        (tmp_path / "landing" / "_incomplete").touch()

    (said,) = complaint("check", "--connect").splitlines()

    assert said.startswith(f"LANDING_URI: file://{tmp_path}/landing: ")


@pytest.mark.usefixtures("_settings")
def test_check_names_what_cannot_be_reached(complaint: Complaint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_TOKEN", "an-expired-token")

    cache, provider = complaint("check", "--connect").splitlines()

    assert cache.startswith("REDIS_URL (redis://nobody:***@")
    assert "the cache refuses the user or the password (WRONGPASS). Correct them in REDIS_URL" in cache
    assert "secret-of-redis" not in cache
    assert provider.startswith("PROVIDER_PROFILE: ")
    assert "status 401" in provider
    assert "1 attempt(s)" in provider
    assert provider.endswith(")")  # no advice on windows: none is run
    assert "an-expired-token" not in provider


@pytest.mark.usefixtures("_settings")
def test_check_does_not_wait_for_a_provider_that_is_down(
    complaint: Complaint, monkeypatch: pytest.MonkeyPatch, valkey: ValkeyServer
) -> None:
    monkeypatch.setenv("REDIS_URL", valkey.url)
    monkeypatch.setenv("SANDBOX_URL", f"http://127.0.0.1:{free_port()}")

    said = complaint("check", "--connect")

    assert said.startswith("PROVIDER_PROFILE: ")
    assert "no response, 1 attempt(s)" in said


def test_faults_are_switched_on_listed_and_off(sandbox: SandboxServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sandbox", "fault", "slow", "--for", "15m", "--url", sandbox.url]) == 0
    capsys.readouterr()

    assert cli.main(["sandbox", "faults", "--url", sandbox.url]) == 0
    assert capsys.readouterr().out.startswith("slow: ")

    assert cli.main(["sandbox", "clear", "slow", "--url", sandbox.url]) == 0
    assert cli.main(["sandbox", "clear", "--url", sandbox.url]) == 0
    assert capsys.readouterr().out.endswith(f"no fault is on at {sandbox.url}\n")


def test_the_sandbox_of_the_running_stack_is_found_by_its_home(
    sandbox: SandboxServer, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Home(home).lock() as lock:
        lock.record(ui="http://127.0.0.1:3000", provider=sandbox.url)

        assert cli.main(["sandbox", "faults"]) == 0

    assert capsys.readouterr().out == f"no fault is on at {sandbox.url}\n"


def test_an_unknown_fault_is_one_line_that_names_the_known_ones(sandbox: SandboxServer, complaint: Complaint) -> None:
    said = complaint("sandbox", "fault", "earthquake", "--url", sandbox.url)

    assert "earthquake" in said
    assert "down" in said
    assert len(said.splitlines()) == 1


def test_a_sandbox_that_does_not_run_is_one_line(complaint: Complaint) -> None:
    url = f"http://127.0.0.1:{free_port()}"

    assert complaint("sandbox", "faults", "--url", url).startswith(f"no sandbox answers at {url}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["yesterday", "today"], "START: 'yesterday' is neither a window's key nor an instant; expected a whole ten"),
        (["2026-11-23T1450Z", "2026-11-23T14:55:00Z"], "END: '2026-11-23T14:55:00Z' is not on a whole ten minutes"),
        (["2026-11-23T1450Z", "2026-11-23T1450Z"], "END: 2026-11-23T1450Z is not after START 2026-11-23T1450Z"),
        (
            ["2026-10-31T2350Z", "2026-11-01T0000Z", "--dry-run"],
            "START: 2026-10-31T2350Z is before the pipeline's first",
        ),
        (["2026-11-01T0000Z", "9999-12-31T0000Z", "--dry-run"], "END: 9999-12-31T0000Z is after the end of the newest"),
    ],
)
@pytest.mark.usefixtures("_settings")
def test_a_range_that_cannot_be_used_is_one_line(arguments: list[str], message: str, complaint: Complaint) -> None:
    said = complaint("backfill", *arguments, code=2)

    assert said.startswith(message)
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("command", [["backfill", "2026-11-23T1450Z", "2026-11-23T1500Z"], ["status"], ["reconcile"]])
def test_a_webserver_that_does_not_answer_is_named_and_nothing_is_started(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"http://127.0.0.1:{free_port()}"

    assert cli.main([*command, "--url", url.replace("//", "//user:secret-of-ui@")]) == 3

    said = capsys.readouterr()
    assert f"the webserver at {url.replace('//', '//user:***@')} does not answer" in said.err + said.out
    assert "secret-of-ui" not in said.err + said.out


def test_an_address_where_something_else_answers_is_named(complaint: Complaint, sandbox: SandboxServer) -> None:
    said = complaint("backfill", "2026-11-23T1450Z", "2026-11-23T1500Z", "--url", sandbox.url, code=3)

    assert said.startswith(f"the webserver at {sandbox.url} does not answer as Dagster does (status 4")


@pytest.mark.usefixtures("_settings")
def test_a_preview_says_what_would_change_and_writes_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, valkey: ValkeyServer
) -> None:
    monkeypatch.setenv("REDIS_URL", valkey.url)

    assert cli.main(["backfill", "2026-11-01T0000Z", "2026-11-01T0020Z", "--dry-run"]) == 0

    assert "\n2 windows" in capsys.readouterr().out
    with valkey.client() as client:
        assert client.exists("customers:coverage", "customers:freshness", "customers:by_updated_at") == 0


@pytest.mark.usefixtures("_settings")
def test_a_preview_that_cannot_be_made_is_one_line(
    complaint: Complaint, monkeypatch: pytest.MonkeyPatch, valkey: ValkeyServer
) -> None:
    monkeypatch.setenv("REDIS_URL", valkey.url)

    said = complaint("backfill", "2026-11-01T0000Z", "2026-11-01T0020Z", "--dry-run", "--replay")

    assert "2026-11-01T0000Z" in said
    assert len(said.splitlines()) == 1


def test_no_dagster_is_imported() -> None:
    script = (
        "import sys; import customer_pipeline.cli, customer_pipeline.preview\n"
        "assert not [name for name in sys.modules if name.partition('.')[0] == 'dagster']"
    )

    subprocess.run([sys.executable, "-c", script], check=True)


def test_output_that_cannot_be_written_is_no_failure(sandbox: SandboxServer) -> None:
    command = [sys.executable, "-m", "customer_pipeline.cli", "sandbox", "faults", "--url", sandbox.url]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, b"")
