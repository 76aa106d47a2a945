"""What `docs/connect-your-provider.md` tells a person to do does what it says."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from customer_pipeline import timestamps
from customer_pipeline.provider.profile import load_profile, shipped_profiles
from customer_pipeline_tests.servers import ServerProcess, ValkeyServer, free_port

REPOSITORY = Path(__file__).parents[2]
DOCUMENT = (REPOSITORY / "docs/connect-your-provider.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, flags=re.DOTALL | re.MULTILINE)


def block(language: str, containing: str) -> str:
    (found,) = [text for text in blocks(language) if containing in text]
    return found


def exported(text: str) -> dict[str, str]:
    return {
        name: value
        for words in (shlex.split(line) for line in text.splitlines() if line.startswith("export "))
        for name, _, value in (word.partition("=") for word in words[1:])
    }


def test_every_step_gives_the_customer_that_the_document_shows(valkey: ValkeyServer, tmp_path: Path) -> None:
    """The table, the request by hand, the profile, the run and the document of the cache, all taken from the text.

    Changed are the ports, the place of the landing store, and that everything is installed already. The package lies
    where the text expects it: below the working directory.
    """
    (tmp_path / "customer_pipeline").symlink_to(REPOSITORY / "customer_pipeline")
    start = block("sh", "datasette-auth-tokens")
    run_script(start, folder=tmp_path)
    serve = shlex.split(start.splitlines()[-1])
    token, _, arguments = serve[0].partition("=")[2], *serve[1:2], serve[2:]
    port = free_port()
    arguments[arguments.index("--port") + 1] = str(port)
    for file in ("crm.db", "metadata.json"):
        arguments[arguments.index(file)] = str(tmp_path / file)
    for line in block("sh", "cp customer_pipeline").splitlines():
        subprocess.run(shlex.split(line), cwd=tmp_path, check=True, timeout=30)
    profile = tmp_path / "profiles" / "crm.yaml"
    assert profile.read_bytes() == shipped_profiles()["datasette"].read_bytes()
    profile.write_text(block("yaml", "base_url"))
    run = block("sh", "dagster asset materialize")
    environment = exported(run) | {
        "CRM_URL": exported(run)["CRM_URL"].replace("8001", str(port)),
        "REDIS_URL": valkey.url,
        "LANDING_URI": (tmp_path / "landing").as_uri(),
        "DAGSTER_HOME": str(tmp_path),
    }
    check = shlex.split(run.partition("customer-pipeline ")[2].splitlines()[0])
    command = shlex.split(run.partition("dagster asset")[2].replace("\\\n", " "))
    by_hand = shlex.split(block("sh", "curl -i").replace("\\\n", " ").replace("8001", str(port)))
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")

    with ServerProcess(
        [sys.executable, "-m", "datasette", *arguments],
        port,
        log=tmp_path / "datasette.log",
        env={**os.environ, "CRM_TOKEN": token},
    ):
        assert curl(by_hand)["rows"][0]["id"] == "rec-1"
        for module, words in (("customer_pipeline.cli", check), ("dagster", ["asset", *command])):
            done = subprocess.run(
                [sys.executable, "-m", module, *words],
                cwd=tmp_path,
                env={**os.environ, **environment},
                capture_output=True,
                text=True,
                check=False,
                timeout=300,
            )
            assert done.returncode == 0, done.stderr[-8000:]
        changed_after = timestamps.format_instant(timestamps.now())[:-4]
        run_script(block("sh", "UPDATE customers"), folder=tmp_path)
        by_hand[-1] = "updated_at__lt=9999"
        by_hand[-3] = f"updated_at__gte={changed_after}Z"
        assert curl(by_hand)["rows"][0]["phone"] == "0412 345 679"
    with valkey.client() as client:
        (key,) = re.findall(r'get\("(.*?)"\)', block("sh", "import redis"))
        cached = json.loads(client.get(key) or "null")
        assert json.loads(client.get("crms:freshness") or "null")["as_of"] == "2025-11-20T00:10:00.000000Z"
    shown = json.loads(block("json", "rec-1"))
    assert list(cached) == list(shown)
    assert cached.pop("version").partition("/")[0] == shown.pop("version").partition("/")[0]
    assert cached == shown


def test_following_the_provider_takes_back_what_the_trial_set_besides_the_provider() -> None:
    follow = block("sh", "make run")
    (unset,) = re.findall(r"^unset (.*)$", follow, flags=re.MULTILINE)

    left = set(exported(block("sh", "dagster asset materialize"))) - set(unset.split())
    assert left == {"PROVIDER_PROFILE", "CRM_URL", "CRM_TOKEN"}
    assert set(exported(follow)) == {"CUSTOMER_PIPELINE_HOME"}


def run_script(text: str, *, folder: Path) -> None:
    """Run the Python between `<<'END'` and `END`."""
    script = text.partition("<<'END'\n")[2].partition("END\n")[0]
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], cwd=folder, check=True, timeout=30)


def curl(command: list[str]) -> Any:
    """Do what a `curl --get` with headers and data does."""
    after = {option: [command[i + 1] for i, word in enumerate(command) if word == option] for option in ("-H", "-d")}
    (url,) = [word for word in command if word.startswith("http")]
    answer = requests.get(
        url,
        headers=dict(header.split(": ", 1) for header in after["-H"]),
        params=dict(item.split("=", 1) for item in after["-d"]),
        timeout=30,
    )
    answer.raise_for_status()
    return answer.json()


@pytest.mark.parametrize("name", ["datasette", "datasette-link-header", "pocketbase"])
def test_the_shipped_profiles_name_their_environment_in_their_first_comment(name: str) -> None:
    path = shipped_profiles()[name]
    comment = path.read_text().partition("\nname:")[0]
    assert f"provider/profiles/{name}.yaml)" in DOCUMENT
    for variable in load_profile(name).secret_names():
        assert variable in comment
