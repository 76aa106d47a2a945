"""Profiles: every error names the file, the field and the fix; every style and auth loads."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from customer_pipeline.provider.profile import Profile, ProfileError, load_profile, resolve, shipped_profiles

BASE: dict[str, Any] = {
    "name": "acme",
    "base_url": "https://api.acme.test",
    "list": {"path": "/customers"},
    "pagination": {"style": "page_number"},
    "fields": {"id": "id", "updated_at": "updated_at"},
}
AUTHS = [
    {"type": "none"},
    {"type": "bearer", "token": "${T}"},
    {"type": "api_key", "name": "X-Key", "value": "${T}"},
    {"type": "api_key", "name": "api key", "in": "query", "value": "${T}"},
    {"type": "basic", "username": "me", "password": "${T}"},
]
STYLES = [
    {
        "style": "page_number",
        "first_page": 0,
        "total_pages": "meta.pages",
        "short_page_is_last": True,
        "size_param": "n",
    },
    {"style": "offset", "offset_param": "skip"},
    {"style": "cursor", "cursor": "meta.next", "cursor_param": "after", "stable": True},
    {"style": "next_link", "link": "links.next"},
    {"style": "link_header"},
    {"style": "next_header", "header": "X-Next", "cursor_param": "c"},
    {"style": "last_id", "id_param": "after", "has_more": "more"},
]


def written(folder: Path, content: str | dict[str, Any]) -> Path:
    path = folder / "acme.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("auth", AUTHS)
@pytest.mark.parametrize("pagination", STYLES)
def test_every_style_and_auth_loads(auth: dict[str, Any], pagination: dict[str, Any], tmp_path: Path) -> None:
    profile = load_profile(written(tmp_path, {**BASE, "auth": auth, "pagination": pagination}))
    assert profile.auth.type == auth["type"]
    assert profile.pagination.style == pagination["style"]
    assert profile.secret_names() == ({"T"} if auth["type"] != "none" else set())


@pytest.mark.parametrize("name", sorted(shipped_profiles()))
def test_shipped_profiles_load_by_name(name: str) -> None:
    assert load_profile(name).name == name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("30s", timedelta(seconds=30)),
        ("1.5m", timedelta(seconds=90)),
        (" 2h ", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
        ("0s", timedelta(0)),
        (timedelta(minutes=1), timedelta(minutes=1)),
    ],
)
def test_durations_carry_a_unit(text: str | timedelta, expected: timedelta) -> None:
    assert Profile.model_validate({**BASE, "lookback": text}).lookback == expected


ERRORS: list[tuple[dict[str, Any], str, str]] = [
    *(
        ({"lookback": value}, "lookback", "is no duration; write a number with a unit, such as 500ms, 30s, 5m or 1h")
        for value in ("5", 5, 5.0, True, "PT5M", "-5m", "5 m", "m", None)
    ),
    ({"lookback": "9" * 30 + "d"}, "lookback", "longer than any duration"),
    ({"timeouts": {"connect": "0s"}}, "timeouts.connect", "longer than 0s"),
    ({"timeouts": {"reed": "1s"}}, "timeouts.reed", "Extra inputs are not permitted"),
    ({"retries": 5}, "retries", "Extra inputs are not permitted"),
    ({"retry": {"attempts": 0}}, "retry.attempts", "greater than or equal to 1"),
    ({"name": "Acme Inc"}, "name", "should match pattern"),
    ({"base_url": "api.acme.test"}, "base_url", "should match pattern"),
    ({"base_url": "https://me:pw@acme.test"}, "base_url", "holds a user name or password; set auth to basic"),
    ({"base_url": "https://acme.test?x=1"}, "base_url", "holds a query or fragment"),
    ({"base_url": "https://"}, "base_url", "is no URL"),
    ({"base_url": "https://acme.test:port"}, "base_url", "is no URL"),
    ({"base_url": "https://evil\\@acme.test"}, "base_url", "a backslash"),
    ({"auth": {"type": "bearer", "token": "abc"}}, "auth.bearer.token", r"should match pattern '^\$\{"),
    ({"auth": {"type": "bearer", "token": "x${T}"}}, "auth.bearer.token", "should match pattern"),
    ({"auth": {"type": "basic", "username": "u", "password": "p"}}, "auth.basic.password", "should match pattern"),
    ({"auth": {"type": "api_key", "name": "k", "value": "v"}}, "auth.api_key.value", "should match pattern"),
    ({"auth": {"type": "api_key", "name": "a b", "value": "${T}"}}, "auth.api_key", "is no name of an HTTP header"),
    ({"auth": {"type": "oauth"}}, "auth", "'oauth'"),
    ({"auth": {"type": "bearer"}}, "auth.bearer.token", "Field required"),
    ({"headers": {"X: y": "z"}}, "headers.X: y.[key]", "is no name of an HTTP header"),
    ({"headers": {"authorization": "Bearer abc"}}, "headers", "put it into the environment and write ${NAME}"),
    ({"request_id_header": ""}, "request_id_header", "is no name of an HTTP header"),
    ({"pagination": {"style": "pages"}}, "pagination", "'page_number', 'offset'"),
    ({"pagination": {"style": "page_number", "stable": True}}, "pagination.page_number", "remove `stable`"),
    ({"pagination": {"style": "offset", "size": 0}}, "pagination.offset.size", "greater than or equal to 1"),
    ({"pagination": {"style": "cursor", "cursor": "a[b"}}, "pagination.cursor.cursor", "is no JMESPath"),
    ({"pagination": {"style": "cursor"}}, "pagination.cursor.cursor", "Field required"),
    ({"pagination": {"style": "page_number", "order": "ascending"}}, "profile", "needs `{since}` in list.query"),
    ({"list": {"path": "/", "records": "f(@)"}}, "list.records", "JMESPath has no function 'f'"),
    ({"list": {"path": "/", "datetimes": {"format": "iso"}}}, "list.datetimes", "use rfc3339, epoch_s, epoch_ms or"),
    ({"list": {"path": "/", "datetimes": {"digits": 9}}}, "list.datetimes.digits", "less than or equal to 6"),
    ({"list": {"path": "/", "query": {"key": "${KEY}"}}}, "list", "use auth: {type: api_key, in: query}"),
    ({"fields": {"id": "id"}}, "fields.updated_at", "Field required"),
    ({"fields": None}, "fields", "valid dictionary"),
]


@pytest.mark.parametrize(("changes", "field", "fix"), ERRORS)
def test_an_error_names_file_field_and_fix(changes: dict[str, Any], field: str, fix: str, tmp_path: Path) -> None:
    path = written(tmp_path, {**BASE, **changes})
    with pytest.raises(ProfileError) as raised:
        load_profile(path)
    [line] = [line for line in str(raised.value).splitlines() if line.startswith(f"{path}: {field}: ")]
    assert fix in line


def test_all_errors_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ProfileError) as raised:
        load_profile(written(tmp_path, {**BASE, "lookback": "5", "nonsense": 1}))
    assert len(str(raised.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("name:\n\tacme", "not readable as YAML"),
        ("a: [", "not readable as YAML"),
        ("name: a\nname: b", "the key 'name' stands twice in one mapping; remove one"),
        ("list:\n  query: {since: a, since: b}", "the key 'since' stands twice"),
        ("? [a, b]\n: 1", "not readable as YAML"),
        ("!!python/object/apply:os.getcwd []", "not readable as YAML"),
        ("", "a mapping at the top level, not NoneType"),
        ("- a", "a mapping at the top level, not list"),
    ],
)
def test_what_is_no_yaml_mapping_is_refused(content: str, reason: str, tmp_path: Path) -> None:
    path = written(tmp_path, content)
    with pytest.raises(ProfileError) as raised:
        load_profile(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert reason in str(raised.value)


def test_the_line_of_a_doubled_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="line 3"):
        load_profile(written(tmp_path, "name: a\nlist: {}\nname: b"))


def test_anchors_and_merges_are_no_doubled_keys(tmp_path: Path) -> None:
    content = yaml.safe_dump({key: value for key, value in BASE.items() if key != "list"})
    merged = f"{content}list: &base {{path: /customers}}\nretry: {{<<: {{attempts: 2}}, attempts: 3}}\n"
    assert load_profile(written(tmp_path, merged)).retry.attempts == 3


def test_a_profile_that_does_not_exist_is_told_with_those_that_do() -> None:
    with pytest.raises(ProfileError, match=r"or the name of a shipped one: datasette, .*pocketbase"):
        load_profile("nowhere")


def test_a_folder_or_another_encoding_is_no_profile(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("name: Zoë".encode("latin-1"))
    for path in (tmp_path, latin):
        with pytest.raises(ProfileError, match="not readable as YAML"):
            load_profile(path)


def test_references_are_resolved_and_missing_ones_named() -> None:
    assert resolve("a-${A}-${B}", {"A": "1", "B": "${A}"}) == "a-1-${A}"
    for environment in (dict[str, str](), {"A": ""}):
        with pytest.raises(ProfileError, match="the environment variable A is not set"):
            resolve("${A}", environment)


@pytest.mark.parametrize(
    ("template", "environment", "url", "shown"),
    [
        ("https://acme.test/v1/", {}, "https://acme.test/v1", "https://acme.test/v1"),
        ("${URL}", {"URL": "http://acme.test:8080/api/"}, "http://acme.test:8080/api", "http://acme.test:8080/api"),
        ("${URL}/${KEY}", {"URL": "http://a.test/b", "KEY": "s"}, "http://a.test/b/s", "http://a.test/b/..."),
        (
            "https://${T}.acme.test/${KEY}/x",
            {"T": "t", "KEY": "s"},
            "https://t.acme.test/s/x",
            "https://t.acme.test/.../x",
        ),
    ],
)
def test_a_base_url_is_resolved_and_shown_without_secrets(
    template: str, environment: dict[str, str], url: str, shown: str
) -> None:
    profile = Profile.model_validate({**BASE, "base_url": template})
    assert profile.resolved_base_url(environment) == url
    assert profile.shown_base_url(environment) == shown


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("acme.test", "is no URL of a host"),
        ("ftp://acme.test", "is no URL of a host"),
        ("http://secret:secret@acme.test", "holds a user name or password"),
        ("http://acme.test/#secret", "holds a query or fragment"),
        ("http://acme.test/a secret", "holds white space"),
        ("http://[secret", "is no URL"),
    ],
)
def test_a_base_url_from_the_environment_is_checked_by_the_name_of_its_variable(value: str, reason: str) -> None:
    profile = Profile.model_validate({**BASE, "base_url": "${ACME_URL}"})
    with pytest.raises(ProfileError) as raised:
        profile.resolved_base_url({"ACME_URL": value})
    assert reason in str(raised.value)
    assert "ACME_URL" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_bounds_are_put_into_every_query_parameter_that_names_them() -> None:
    query = {"filter": "updated >= '{since}' && updated < '{until}'", "from": "{since}", "x": '{"json": "{until}"}'}
    profile = Profile.model_validate({**BASE, "list": {"path": "/", "query": query, "datetimes": {"digits": 0}}})
    start = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert profile.list.query_between(start, start + timedelta(hours=1)) == {
        "filter": "updated >= '2026-01-02T03:04:05Z' && updated < '2026-01-02T04:04:05Z'",
        "from": "2026-01-02T03:04:05Z",
        "x": '{"json": "2026-01-02T04:04:05Z"}',
    }
    assert (profile.list.filtered, profile.list.bounded) == (True, True)
