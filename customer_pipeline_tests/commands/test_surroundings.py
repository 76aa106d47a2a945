import dataclasses
from pathlib import Path

import pytest

from customer_pipeline.commands import surroundings
from customer_pipeline.dev.environment import Ports, given
from customer_pipeline.dev.home import Home
from customer_pipeline.settings import Settings, SettingsError

PORTS = Ports(ui=3001, cache=6391, provider=8401)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"CUSTOMER_PIPELINE_HOME": str(tmp_path)}


def record(stack: dict[str, str]) -> dict[str, object]:
    return {"ui": PORTS.ui_url, "provider": None, "ports": dataclasses.asdict(PORTS), "given": given(stack)}


def test_the_webserver_is_the_given_one_else_that_of_the_environment_else_of_the_stack_else_the_default(
    environ: dict[str, str],
) -> None:
    named = environ | {"DAGSTER_WEBSERVER_URL": "https://dagster.example.org/prefix/"}

    assert surroundings.webserver_url(environ, given=None) == "http://127.0.0.1:3000"
    with Home.from_environment(environ).lock() as lock:
        lock.record(**record({}))
        assert surroundings.webserver_url(environ, given=None) == "http://127.0.0.1:3001"
        assert surroundings.webserver_url(named, given=None) == "https://dagster.example.org/prefix"
        assert surroundings.webserver_url(named, given="http://other:80") == "http://other:80"


@pytest.mark.parametrize(
    "url", ["ftp://host", "localhost:3000", "http://", "http://[::1", "http://h:0", "http://h/?a=b"]
)
def test_an_address_that_is_none_is_refused(environ: dict[str, str], url: str) -> None:
    for arguments in ({"environ": environ, "given": url}, {"environ": {"DAGSTER_WEBSERVER_URL": url}, "given": None}):
        with pytest.raises(SettingsError, match=r"DAGSTER_WEBSERVER_URL: .*expected the http:// or https:// URL"):
            surroundings.webserver_url(**arguments)


def test_what_the_environment_lacks_is_that_of_the_running_stack(environ: dict[str, str]) -> None:
    home = Home.from_environment(environ)
    home.prepare()
    home.path.joinpath("start").write_text("2026-11-01T00:00:00.000000Z\n")

    with home.lock() as lock:
        lock.record(**record({"PROVIDER_PROFILE": "sandbox"}))
        settings = Settings.from_environment(surroundings.environment(environ))

    assert settings.redis_url == "redis://127.0.0.1:6391/0"
    assert settings.secrets["SANDBOX_URL"] == "http://127.0.0.1:8401"
    assert settings.landing_uri == home.landing.as_uri()


def test_nothing_is_guessed_of_what_the_running_stack_was_given(environ: dict[str, str]) -> None:
    stack = {"REDIS_URL": "redis://:secret@cache.example.org/0", "CUSTOMER_PIPELINE_PREFIX": "crm"}

    with Home.from_environment(environ).lock() as lock:
        lock.record(**record(stack))
        with pytest.raises(SettingsError) as refused:
            surroundings.environment(environ | {"CUSTOMER_PIPELINE_PREFIX": "crm"})
        recorded = Home.from_environment(environ).running()

    assert refused.value.problems == ("REDIS_URL: is not set, and the running stack was started with it",)
    assert "secret" not in str(recorded)
    assert not Home.from_environment(environ).path.joinpath("start").exists()


def test_without_a_running_stack_the_environment_is_all_there_is(environ: dict[str, str]) -> None:
    assert surroundings.environment(environ) == environ
