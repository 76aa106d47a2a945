import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine

import customer_pipeline
from customer_pipeline.dev import environment
from customer_pipeline.dev.environment import Ports
from customer_pipeline.dev.home import Home, HomeInUse, HomeUnusable
from customer_pipeline.settings import Settings

REPOSITORY = Path(customer_pipeline.__file__).parents[1]


def test_the_home_is_the_variables_or_lies_below_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert Home.from_environment({}).path == tmp_path / ".customer_pipeline"
    assert Home.from_environment({"CUSTOMER_PIPELINE_HOME": ""}).path == tmp_path / ".customer_pipeline"
    assert Home.from_environment({"CUSTOMER_PIPELINE_HOME": "state"}).path == tmp_path / "state"
    assert Home.from_environment({"CUSTOMER_PIPELINE_HOME": "~/state"}).path == Path("~/state").expanduser()


def test_the_history_starts_a_day_before_the_first_start_and_stays_there(tmp_path: Path) -> None:
    home = Home(tmp_path)

    with time_machine.travel(datetime(2026, 11, 23, 7, 59, 59, tzinfo=UTC)):
        assert home.start() == "2026-11-22T07:50:00.000000Z"
    with time_machine.travel(datetime(2026, 11, 25, tzinfo=UTC)):
        assert home.start() == "2026-11-22T07:50:00.000000Z"


def test_the_instances_configuration_is_refreshed_at_every_start(tmp_path: Path) -> None:
    home = Home(tmp_path / "a b")
    home.prepare()
    (home.dagster / "dagster.yaml").write_text("old")

    home.prepare()

    assert (home.dagster / "dagster.yaml").read_text() == (REPOSITORY / "dagster.yaml").read_text()


def test_an_installed_package_without_the_configuration_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(customer_pipeline, "__file__", str(tmp_path / "lib" / "customer_pipeline" / "__init__.py"))

    with pytest.raises(FileNotFoundError, match=r"dagster\.yaml is neither"):
        Home(tmp_path / "home").prepare()


def test_a_home_that_cannot_be_made_names_the_variable_and_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    home = Home(tmp_path / "file" / "home")

    for use in (home.lock, home.prepare):
        with pytest.raises(HomeUnusable) as refused:
            use()
        assert str(refused.value) == (
            f"the folder {home.path} cannot be made or written (Not a directory): "
            "set CUSTOMER_PIPELINE_HOME to one that can"
        )
    assert home.running() == {}


def test_a_home_in_use_is_refused_with_where_the_other_stack_is(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with home.lock() as lock:
        with pytest.raises(HomeInUse) as early:
            home.lock()
        lock.record(ui="http://127.0.0.1:3000", provider="http://127.0.0.1:8400")
        with pytest.raises(HomeInUse) as refused:
            home.lock()

    advice = "end it, or choose another folder with CUSTOMER_PIPELINE_HOME"
    assert str(early.value) == f"a stack already runs on {tmp_path}: {advice}"
    assert str(refused.value) == (
        f"a stack already runs on {tmp_path} (process {os.getpid()}, http://127.0.0.1:3000): {advice}"
    )


def test_what_runs_on_a_home_is_known_as_long_as_it_runs(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.running() == {}

    with home.lock() as lock:
        assert home.running() == {}
        lock.record(ui="http://127.0.0.1:3000", provider=None)
        assert home.running() == {"pid": os.getpid(), "ui": "http://127.0.0.1:3000", "provider": None}

    assert home.running() == {}
    with home.lock():
        assert home.running() == {}


def test_a_home_is_free_again_when_its_process_was_killed(tmp_path: Path) -> None:
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom customer_pipeline.dev.home import Home\n"
        f"lock = Home(Path({str(tmp_path)!r})).lock(); lock.record(ui='x'); os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9

    with Home(tmp_path).lock():
        pass


def test_an_empty_environment_is_completed_for_the_embedded_stack(tmp_path: Path) -> None:
    home = Home(tmp_path / "a b")
    home.prepare()

    complete = environment.complete({"PATH": "/bin"}, home=home, ports=Ports(cache=1, provider=2))
    settings = Settings.from_environment(complete)

    assert complete["PATH"] == "/bin"
    assert complete["DAGSTER_HOME"] == str(tmp_path / "a b" / "dagster")
    assert settings.profile.name == "sandbox"
    assert settings.secrets == {"SANDBOX_URL": "http://127.0.0.1:2", "SANDBOX_TOKEN": "sandbox-token"}
    assert settings.redis_url == "redis://127.0.0.1:1/0"
    assert settings.landing_uri == (tmp_path / "a b" / "landing").as_uri()


def test_what_the_caller_sets_wins_except_for_the_sandbox_that_the_stack_starts(tmp_path: Path) -> None:
    given = {
        "REDIS_URL": "redis://cache.example.org",
        "LANDING_URI": "s3://bucket",
        "CUSTOMER_PIPELINE_START": "2026-11-01T00:00:00Z",
        "DAGSTER_HOME": "/srv/dagster",
        "SANDBOX_TOKEN": "mine",
        "SANDBOX_URL": "http://other",
    }

    complete = environment.complete(given, home=Home(tmp_path), ports=Ports(ui=1, provider=2))

    own = {"PROVIDER_PROFILE": "sandbox", "SANDBOX_URL": "http://127.0.0.1:2"}
    own |= {"DAGSTER_WEBSERVER_URL": "http://127.0.0.1:1", "API_KEYS_FILE": str(tmp_path / "api-keys.json")}
    own |= {"API_CORS_ORIGINS": "http://localhost:8000,http://127.0.0.1:8000"}
    assert complete == {**given, **own}
    assert not (tmp_path / "start").exists()


def test_files_that_the_caller_names_are_found_from_another_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {
        "PROVIDER_PROFILE": "profiles/crm.yaml",
        "REDIS_URL": "rediss://user:p%40ss@cache.example.org/0?ssl_ca_certs=tls/ca.pem&db=1&ssl_keyfile=/etc/key.pem",
    }

    complete = environment.complete(given, home=Home(tmp_path), ports=Ports())

    assert complete["PROVIDER_PROFILE"] == str(tmp_path / "profiles/crm.yaml")
    assert complete["REDIS_URL"] == (
        f"rediss://user:p%40ss@cache.example.org/0?ssl_ca_certs={tmp_path}/tls/ca.pem&db=1&ssl_keyfile=/etc/key.pem"
    )


@pytest.mark.parametrize(
    "url", ["unix:///run/valkey.sock?db=1", "redis://[cache", "redis://user:p%40s%2Bs@cache/0?db=1"]
)
def test_a_cache_url_that_names_no_file_stays_as_it_is(tmp_path: Path, url: str) -> None:
    assert environment.complete({"REDIS_URL": url}, home=Home(tmp_path), ports=Ports())["REDIS_URL"] == url


def test_another_provider_gets_no_sandbox(tmp_path: Path) -> None:
    complete = environment.complete({"PROVIDER_PROFILE": "datasette"}, home=Home(tmp_path), ports=Ports())

    assert "SANDBOX_URL" not in complete
    assert not environment.has_sandbox({"PROVIDER_PROFILE": "datasette"})
    assert environment.has_sandbox({"PROVIDER_PROFILE": "sandbox"})
    assert environment.has_sandbox({})


def test_what_is_the_stacks_own_follows_from_what_is_not_set() -> None:
    assert environment.has_own_cache({"REDIS_URL": ""})
    assert not environment.has_own_cache({"REDIS_URL": "redis://x"})
    assert environment.has_own_instance({})
    assert not environment.has_own_instance({"DAGSTER_HOME": "/srv"})
