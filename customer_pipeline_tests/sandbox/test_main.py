"""The sandbox as a process of its own, and the shipped profile."""

import os
import sys
from pathlib import Path

import jmespath
import pytest
import requests

from customer_pipeline.provider.profile import load_profile
from customer_pipeline.sandbox.__main__ import main
from customer_pipeline.sandbox.app import create_app
from customer_pipeline.sandbox.wire import NoTransportError, hang_up
from customer_pipeline_tests.sandbox.running import QUIET, RunningSandbox
from customer_pipeline_tests.servers import ServerProcess, free_port


def process(folder: Path, *arguments: str, token: str) -> ServerProcess:
    port = free_port()
    command = [sys.executable, "-m", "customer_pipeline.sandbox", "--port", str(port), *arguments]
    return ServerProcess(command, port, log=folder / "sandbox.log", env={**os.environ, "SANDBOX_TOKEN": token})


def test_a_killed_process_continues_from_its_state(tmp_path: Path) -> None:
    arguments = ("--state", str(tmp_path / "state.db"), "--customers", "50", "--changes-per-minute", "0")
    seen: list[list[bytes]] = []
    for _ in range(2):
        server = process(tmp_path, *arguments, token="t").start()
        try:
            control = f"http://127.0.0.1:{server.port}/_sandbox"
            assert requests.put(f"{control}/customers/cus_00001", json={"n": len(seen)}, timeout=5).ok
            seen.append(requests.get(f"{control}/customers", timeout=5).content.splitlines())
            listed = requests.get(
                f"http://127.0.0.1:{server.port}/bearer/cursor/customers",
                headers={"Authorization": "Bearer t"},
                timeout=5,
            )
            assert len(listed.json()["items"]) == 50
        finally:
            server.kill()
    assert len(seen[0]) == len(seen[1]) == 50
    assert seen[0][1:] == seen[1][1:]
    assert b'"n":1' in seen[1][0]


def test_a_start_in_the_past_is_read_from_the_command_line(tmp_path: Path) -> None:
    arguments = ("--start", "2026-11-01T00:00:00+01:00", "--customers", "9", "--changes-per-minute", "0", "--seed", "4")
    with process(tmp_path, *arguments, token="") as server:
        lines = requests.get(f"http://127.0.0.1:{server.port}/_sandbox/customers", timeout=5)
        assert max(line.split('"updated_at":"')[1][:10] for line in lines.text.split("\n")[:-1]) <= "2026-10-31"


def test_a_taken_port_is_one_line_and_no_traceback(capfd: pytest.CaptureFixture[str], running: RunningSandbox) -> None:
    port = running.url.rpartition(":")[2]
    with pytest.raises(SystemExit) as ended:
        main(["--port", port, "--customers", "1", "--changes-per-minute", "0"])
    assert ended.value.code == 3
    said = capfd.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "address already in use" in said[0]


def test_the_shipped_profile_reads_the_sandbox() -> None:
    profile = load_profile("sandbox")
    assert profile.secret_names() == {"SANDBOX_URL", "SANDBOX_TOKEN"}
    with RunningSandbox(QUIET) as sandbox:
        query = {
            name: value.format(since="2020-01-01T00:00:00Z", until="2999-01-01T00:00:00Z")
            for name, value in profile.list.query.items()
        }
        headers = {"Authorization": "Bearer sandbox-token"}
        query |= {"per_page": str(profile.pagination.size), "page": "2"}
        body = sandbox.session.get(sandbox.url + profile.list.path, params=query, headers=headers, timeout=5).json()
    records = jmespath.search(profile.list.records, body)
    assert len(records) == profile.pagination.size == 500
    assert jmespath.search(profile.pagination.total or "", body) == 1200
    assert [record["updated_at"] for record in records] == sorted(record["updated_at"] for record in records)
    fields = profile.fields
    attributes = {name: attribute.path for name, attribute in fields.attributes.items()}
    simple = {name: path for name, path in fields.model_dump().items() if isinstance(path, str)}
    for path in (*simple.values(), *fields.address.values(), *attributes.values()):
        assert any(jmespath.search(path, record) not in (None, "") for record in records), path
    assert profile.deleted is not None
    assert {jmespath.search(profile.deleted.path, record) for record in records} == {True, False}
    assert len({type(record["created_at"]) for record in records}) == 2


@pytest.mark.anyio
async def test_a_connection_that_is_not_shown_cannot_be_cut() -> None:
    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    with pytest.raises(NoTransportError, match="uvicorn"):
        await hang_up({}, receive)


def test_building_an_application_needs_nothing_else() -> None:
    assert create_app(QUIET) is not None
