import json
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine

from customer_pipeline import cli
from customer_pipeline.api import key_file
from customer_pipeline.api.credentials import Keyring, Scope, make
from customer_pipeline.timestamps import now


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "folder" / "keys.json"
    monkeypatch.setenv("API_KEYS_FILE", str(path))
    return path


def test_a_key_is_printed_once_alone_and_only_its_hash_is_kept(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["api-key", "create", "web", "--scope", "read", "--scope", "changes", "--expires", "90d"]) == 0
    said = capsys.readouterr()
    text = said.out.strip()
    assert re.fullmatch("ck_[a-z2-7]{8}_[A-Za-z0-9_-]{43}", text)
    assert "keep it now" in said.err
    assert text not in said.err
    assert text.split("_", 2)[2] not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (key,) = key_file.read(file)
    assert key.name == "web"
    assert key.scopes == frozenset({Scope.READ, Scope.CHANGES})
    assert key.expires_at is not None
    assert abs(key.expires_at - now() - timedelta(days=90)) < timedelta(minutes=5)
    assert Keyring([key]).recognize(text) == key


def test_two_keys_of_one_secret_would_have_different_hashes(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert cli.main(["api-key", "create", "web"]) == 0
    capsys.readouterr()
    first, second = json.loads(file.read_text())["keys"]
    assert first["salt"] != second["salt"]
    assert first["scopes"] == ["read"]


def test_keys_are_listed_without_hash_and_revoked_by_name_or_id(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("web", "shop", "shop"):
        assert cli.main(["api-key", "create", name, "--expires", "1h"]) == 0
    keys = key_file.read(file)
    capsys.readouterr()
    with time_machine.travel(now() + timedelta(hours=2)):
        assert cli.main(["api-key", "list"]) == 0
    listed = capsys.readouterr().out
    assert len(listed.splitlines()) == 3
    assert "(read), made " in listed
    assert ", expired " in listed
    assert not any(key.hash in listed or key.salt in listed for key in keys)
    assert cli.main(["api-key", "revoke", "shop"]) == 0
    assert [key.name for key in key_file.read(file)] == ["web"]
    assert cli.main(["api-key", "revoke", keys[0].id]) == 0
    assert key_file.read(file) == []
    assert cli.main(["api-key", "revoke", "web"]) == 2
    assert "there is no key 'web'" in capsys.readouterr().err


def test_keys_that_are_made_at_the_same_time_are_all_kept(file: Path) -> None:
    def add(number: int) -> None:
        key, _ = make(f"k{number}", scopes=frozenset({Scope.READ}), at=now(), expires_at=None)
        with key_file.changed(file) as keys:
            keys.append(key)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    assert {key.name for key in key_file.read(file)} == {f"k{number}" for number in range(40)}


@pytest.mark.parametrize("content", ["", "{}", '{"keys": [{}]}', '{"keys": [{"id": 1}]}', "[]", "\x00"])
def test_a_file_that_holds_something_else_is_not_overwritten(
    file: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file.parent.mkdir()
    file.write_text(content)
    for command in (["create", "web"], ["list"], ["revoke", "web"]):
        assert cli.main(["api-key", *command]) == 1
        assert "holds something else" in capsys.readouterr().err
    assert file.read_text() == content


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create"], "the following arguments are required: NAME"),
        (["create", "a b"], "'a b' is no name"),
        (["create", "ada@example.org"], "is no name"),
        (["create", "web", "--scope", "write"], "--scope"),
        (["create", "web", "--expires", "0s"], "'0s' is no duration"),
        (["create", "web", "--expires", "9999999999999d"], "is no duration"),
        (["create", "web", "--expires", "soon"], "'soon' is no duration"),
        ([], "ACTION"),
    ],
)
def test_a_wrong_argument_is_explained(
    arguments: list[str], message: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["api-key", *arguments])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
    assert not file.exists()


def test_a_relative_file_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("API_KEYS_FILE", "keys.json")
    assert cli.main(["api-key", "list"]) == 2
    assert "API_KEYS_FILE: is 'keys.json', which is not absolute" in capsys.readouterr().err
