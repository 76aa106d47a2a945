"""What the stack says when a service never answers: stand-ins for Dagster's processes, so that it is soon over."""

import sys
from pathlib import Path

import pytest

from customer_pipeline.dev import environment, services, stack
from customer_pipeline.dev.environment import Ports
from customer_pipeline.dev.home import Home
from customer_pipeline.dev.stack import StackError
from customer_pipeline.dev.supervisor import Service
from customer_pipeline.provider.profile import shipped_profiles
from customer_pipeline.settings import Settings
from customer_pipeline_tests.servers import ValkeyServer, free_port


@pytest.fixture
def given(tmp_path: Path, valkey: ValkeyServer) -> dict[str, str]:
    return {
        "CUSTOMER_PIPELINE_HOME": str(tmp_path / "home"),
        "PROVIDER_PROFILE": "datasette",
        "DATASETTE_URL": "http://127.0.0.1:9",
        "DATASETTE_TOKEN": "a-token",
        "REDIS_URL": valkey.url,
    }


def test_a_service_that_never_answers_is_named_with_the_logs(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def code_server(home: Home, *, socket: Path) -> Service:
        assert socket.parent.exists()
        return Service(name="x", command=[sys.executable, "-c", "import time; time.sleep(99)"], log=home.logs / "x.log")

    monkeypatch.setattr(services, "code_server", code_server)
    monkeypatch.setattr(stack, "START_SECONDS", 0.5)
    said: list[str] = []

    with pytest.raises(StackError) as failed:
        stack.run(given, ports=Ports(ui=free_port(), api=free_port()), say=said.append)

    logs = tmp_path / "home" / "logs"
    assert str(failed.value) == f"the code server did not answer within 0 s; the logs are in {logs}"
    assert said == [f"starting; everything is kept in {tmp_path / 'home'}"]
    assert [log.name for log in logs.iterdir()] == ["x.log"]  # with a cache and a provider given, none is started


def test_a_profile_that_is_named_by_a_relative_path_is_found_by_the_services(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = """
import os
from customer_pipeline.settings import Settings
raise SystemExit(Settings.from_environment(os.environ).profile.name)
"""

    def code_server(home: Home, *, socket: Path) -> Service:
        assert socket.parent.exists()
        return Service(name="x", command=[sys.executable, "-c", script], log=home.logs / "x.log")

    monkeypatch.setattr(services, "code_server", code_server)
    monkeypatch.chdir(tmp_path)
    Path("profiles").mkdir()
    Path("profiles/crm.yaml").write_text(
        shipped_profiles()["datasette"].read_text().replace("name: data", "name: my-data")
    )

    with pytest.raises(StackError) as failed:
        stack.run(
            given | {"PROVIDER_PROFILE": "profiles/crm.yaml"}, ports=Ports(ui=free_port(), api=free_port()), say=print
        )

    assert "  | my-datasette\n" in str(failed.value)


def test_a_cache_that_is_not_up_yet_is_waited_for(tmp_path: Path) -> None:
    ports = Ports(ui=free_port(), cache=free_port(), provider=free_port(), api=free_port())
    home = Home(tmp_path)
    home.prepare()
    complete = environment.complete({}, home=home, ports=ports)
    one = stack.Stack(
        home=home,
        ports=ports,
        environ=complete,
        settings=Settings.from_environment(complete),
        own_cache=True,
        own_instance=True,
        sandbox=True,
        api=True,
        say=print,
    )

    assert not one._cache_answers()
    with ValkeyServer(tmp_path / "valkey", port=ports.cache):
        assert one._cache_answers()
