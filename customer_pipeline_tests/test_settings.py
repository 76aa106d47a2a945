import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.profile import load_profile
from customer_pipeline.settings import Settings, SettingsError, redacted

REPOSITORY = Path(__file__).parents[1]
PASSWORD = "hunter2-and-more"
COMPLETE = {
    "PROVIDER_PROFILE": "sandbox",
    "SANDBOX_URL": "http://127.0.0.1:8400",
    "SANDBOX_TOKEN": "t0ken-of-the-sandbox",
    "REDIS_URL": f"rediss://reader:{PASSWORD}@cache.example.org:6380/0",
    "LANDING_URI": f"s3://key:{PASSWORD}@bucket/landing?region=eu-central-2&session_token={PASSWORD}",
    "CUSTOMER_PIPELINE_START": "2026-11-01T00:00:00Z",
}


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(datetime(2026, 11, 23, 7, 55, tzinfo=UTC), tick=False):
        yield


def problems(**changes: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment(COMPLETE | changes)
    return refused.value.problems


class RecordingEnvironment(dict[str, str]):
    """Remembers which variables were asked for."""

    def __init__(self, content: Mapping[str, str]) -> None:
        super().__init__(content)
        self.asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)


def asked_variables() -> list[str]:
    environ = RecordingEnvironment(COMPLETE)
    Settings.from_environment(environ)
    return sorted(environ.asked)


def test_a_complete_environment_is_read() -> None:
    settings = Settings.from_environment(COMPLETE)

    assert settings.profile.name == "sandbox"
    assert settings.secrets == {"SANDBOX_URL": "http://127.0.0.1:8400", "SANDBOX_TOKEN": "t0ken-of-the-sandbox"}
    assert settings.redis_url == COMPLETE["REDIS_URL"]
    assert settings.landing_uri == COMPLETE["LANDING_URI"]
    assert settings.start == datetime(2026, 11, 1, tzinfo=UTC)
    assert settings.prefix == "customer"


def test_the_prefix_can_be_chosen() -> None:
    assert Settings.from_environment(COMPLETE | {"CUSTOMER_PIPELINE_PREFIX": "crm:customer"}).prefix == "crm:customer"


def test_an_empty_environment_is_refused_with_one_line_for_every_variable() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({})

    heading, *lines = str(refused.value).splitlines()
    assert heading == "the environment cannot be used:"
    assert [line.split(":")[0].strip() for line in lines] == [
        "PROVIDER_PROFILE",
        "REDIS_URL",
        "LANDING_URI",
        "CUSTOMER_PIPELINE_START",
    ]
    assert all("is not set; expected " in line and ", such as " in line for line in lines)


def test_an_empty_value_counts_as_missing() -> None:
    (problem,) = problems(REDIS_URL="")

    assert problem.startswith("REDIS_URL: is not set")


def test_missing_and_malformed_variables_are_named_together() -> None:
    found = problems(
        SANDBOX_TOKEN="",
        REDIS_URL="http://x",
        LANDING_URI="landing",
        CUSTOMER_PIPELINE_START="yesterday",
        DAGSTER_HOME="x",
    )

    assert [problem.split(":")[0] for problem in found] == [
        "SANDBOX_TOKEN",
        "REDIS_URL",
        "LANDING_URI",
        "CUSTOMER_PIPELINE_START",
        "DAGSTER_HOME",
    ]


def test_the_example_of_every_problem_is_itself_accepted() -> None:
    examples = {
        problem.split(":")[0]: problem.rsplit(", such as ", 1)[1].split(" or ")[-1]
        for problem in problems(PROVIDER_PROFILE="", REDIS_URL="x", LANDING_URI="x", CUSTOMER_PIPELINE_START="x")
    }

    assert set(examples) == {"PROVIDER_PROFILE", "REDIS_URL", "LANDING_URI", "CUSTOMER_PIPELINE_START"}
    Settings.from_environment(COMPLETE | examples)


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379",
        "redis://127.0.0.1:6379/3",
        "redis://[::1]:6379/0",
        "rediss://user:p%40ss%2Fword@cache.example.org:6380/0?ssl_ca_certs=/etc/ssl/ca.pem",
        "unix:///run/valkey.sock?db=1",
        "unix://user:pass@/run/valkey.sock",
        "redis+cluster://node-1:7000",
        "rediss+cluster://user:pass@node-1:7000/0",
    ],
)
def test_every_kind_of_cache_url_is_accepted(url: str) -> None:
    assert Settings.from_environment(COMPLETE | {"REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"http://user:{PASSWORD}@host:80", "another scheme"),
        (f"host:{PASSWORD}", "another scheme"),
        (f"redis://user:{PASSWORD}@", "names no host"),
        (f"redis://user:{PASSWORD}@host:0/0", "port 0"),
        (f"redis://user:{PASSWORD}@host:99999/0", "is no URL"),
        (f"redis://user:{PASSWORD}#x@host:6379/0", "is no URL"),
        (f"redis://user:{PASSWORD}/x@host:6379/0", "is no URL"),
        (f"redis://user:{PASSWORD}[@host:6379/0", "is no URL"),
        (f"redis://user:{PASSWORD}@host/zero", "no database number"),
        (f"redis+cluster://user:{PASSWORD}@host/1", "a cluster has only number 0"),
        (f"unix://user:{PASSWORD}@", "names no socket"),
    ],
)
def test_a_malformed_cache_url_is_explained_without_showing_its_password(url: str, reason: str) -> None:
    (problem,) = problems(REDIS_URL=url)

    assert problem.startswith("REDIS_URL: ")
    assert reason in problem
    assert PASSWORD not in problem


@pytest.mark.parametrize("uri", ["file:///srv/landing", "file:///srv/a%20b", "s3://bucket", "s3://bucket/a?region=x"])
def test_every_kind_of_landing_uri_is_accepted(uri: str) -> None:
    assert Settings.from_environment(COMPLETE | {"LANDING_URI": uri}).landing_uri == uri


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("/srv/landing", "another scheme"),
        ("gs://bucket/landing", "another scheme"),
        ("file://landing", "no absolute path"),
        ("file:///", "names no folder"),
        ("file:///srv/a b", "%20"),
        ("s3://bucket/a b", "%20"),
        ("s3:///landing", "names no bucket"),
        (f"s3://key:{PASSWORD}@[bucket", "is no URI"),
    ],
)
def test_a_malformed_landing_uri_is_explained(uri: str, reason: str) -> None:
    (problem,) = problems(LANDING_URI=uri)

    assert problem.startswith("LANDING_URI: ")
    assert reason in problem
    assert PASSWORD not in problem


@pytest.mark.parametrize(
    "text", ["2026-11-23T07:50:00Z", "2026-11-23T07:50:00.000000Z", "2026-11-23T07:50:00.000+00:00"]
)
def test_the_start_may_be_written_as_rfc_3339_has_it(text: str) -> None:
    settings = Settings.from_environment(COMPLETE | {"CUSTOMER_PIPELINE_START": text})

    assert settings.start == datetime(2026, 11, 23, 7, 50, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2026-11-01", "is '2026-11-01';"),
        ("2026-11-01T00:00:00", "is '2026-11-01T00:00:00';"),
        ("2026-11-01T00:00:00+01:00", "is '2026-11-01T00:00:00+01:00';"),
        ("2026-11-01T00:05:00Z", "not on a whole ten minutes"),
        ("2026-11-01T00:00:01Z", "not on a whole ten minutes"),
        ("2026-11-31T00:00:00Z", "no calendar has"),
        ("2026-11-23T08:00:00Z", "lies in the future"),
        ("٢٠٢٦-11-01T00:00:00Z", "is '"),
    ],
)
def test_a_start_that_cannot_be_used_is_explained(text: str, reason: str) -> None:
    (problem,) = problems(CUSTOMER_PIPELINE_START=text)

    assert problem.startswith("CUSTOMER_PIPELINE_START: ")
    assert reason in problem


def test_dagster_home_is_an_absolute_path_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    Settings.from_environment(COMPLETE | {"DAGSTER_HOME": str(tmp_path)})
    assert "not absolute" in problems(DAGSTER_HOME="home")[0]
    assert "no existing folder" in problems(DAGSTER_HOME=str(tmp_path / "none"))[0]
    assert "no existing folder" in problems(DAGSTER_HOME=str(tmp_path / "file"))[0]


@pytest.mark.parametrize("name", ["ALERT_SLACK_WEBHOOK_URL", "ALERT_WEBHOOK_URL"])
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"hooks.example.org/{PASSWORD}", "another scheme"),
        (f"ftp://hooks.example.org/{PASSWORD}", "another scheme"),
        (f"https:///{PASSWORD}", "names no host"),
        (f"https://hooks.example.org:0/{PASSWORD}", "port 0"),
        (f"https://hooks.example.org:{PASSWORD}", "is no URL"),
        (f"https://[hooks.example.org/{PASSWORD}", "is no URL"),
        (f"https://hooks.example.org/{PASSWORD}\n", "white space"),
        (f"https://hooks.example.org/{PASSWORD} x", "white space"),
    ],
)
def test_a_malformed_webhook_is_explained_without_showing_its_address(name: str, url: str, reason: str) -> None:
    (problem,) = problems(**{name: url})

    assert problem.startswith(f"{name}: ")
    assert reason in problem
    assert PASSWORD not in problem


@pytest.mark.parametrize(
    "arn",
    [
        "on-call",
        "arn:aws:sqs:eu-central-2:123456789012:on-call",
        "arn:aws:sns:eu-central-2:1234:on-call",
        "arn:aws:sns::123456789012:on-call",
        "arn:aws:sns:eu-central-2:123456789012:",
    ],
)
def test_a_malformed_topic_is_refused(arn: str) -> None:
    assert problems(ALERT_SNS_TOPIC_ARN=arn)[0].startswith(f"ALERT_SNS_TOPIC_ARN: is '{arn}'; expected the ARN")


@pytest.mark.parametrize(("text", "days"), [("", 30), ("1", 1), ("30", 30), ("399", 399)])
def test_the_retention_is_a_whole_number_of_days(text: str, days: int) -> None:
    settings = Settings.from_environment(COMPLETE | {"LANDING_RETENTION_DAYS": text})

    assert settings.landing_retention == timedelta(days=days)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "030", "30 days", "٣٠", "400", "999999999", "9" * 50])
def test_a_malformed_retention_is_explained(text: str) -> None:
    (problem,) = problems(LANDING_RETENTION_DAYS=text)

    assert problem.startswith(f"LANDING_RETENTION_DAYS: is '{text}'")
    assert problem.endswith("; expected a whole number of days from 1 to 399, such as 30")


@pytest.mark.parametrize(("text", "kept"), [("", 100_000), ("1", 1), ("999999999", 999_999_999)])
def test_how_many_changes_are_kept_is_a_whole_number(text: str, kept: int) -> None:
    settings = Settings.from_environment(COMPLETE | {"CHANGES_KEPT": text})

    assert settings.changes_kept == kept


@pytest.mark.parametrize("text", ["0", "-1", "1e5", "0100", "1000000000"])
def test_a_malformed_number_of_changes_is_explained(text: str) -> None:
    (problem,) = problems(CHANGES_KEPT=text)

    assert problem == f"CHANGES_KEPT: is '{text}'; expected a whole number from 1 to 999999999, such as 100000"


def test_every_channel_of_alerts_may_be_set() -> None:
    Settings.from_environment(
        COMPLETE
        | {
            "ALERT_SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T00/B00/x",
            "ALERT_WEBHOOK_URL": "http://user:password@alerts:8080/hook?key=x",
            "ALERT_SNS_TOPIC_ARN": "arn:aws-us-gov:sns:us-gov-west-1:123456789012:on-call.fifo",
        }
    )


@pytest.mark.parametrize("prefix", ["{customer}", "cus tomer", ":customer", "customer\n"])
def test_a_prefix_that_would_break_the_keys_is_refused(prefix: str) -> None:
    assert "CUSTOMER_PIPELINE_PREFIX" in problems(CUSTOMER_PIPELINE_PREFIX=prefix)[0]


@pytest.mark.parametrize("secret", [f"{PASSWORD}\n", f" {PASSWORD}", f"a\0{PASSWORD}", f"a\n{PASSWORD}"])
def test_a_secret_with_a_line_break_is_refused_without_showing_it(secret: str) -> None:
    (problem,) = problems(SANDBOX_TOKEN=secret)

    assert problem.startswith("SANDBOX_TOKEN: has a line break")
    assert PASSWORD not in problem


def test_a_base_url_that_its_variables_do_not_make_a_url_is_refused() -> None:
    for url in ("localhost:8400", "ftp://host", "http://", "http://[", "http://host:0", "http://host:port"):
        (problem,) = problems(SANDBOX_URL=url)

        assert problem.startswith("PROVIDER_PROFILE: base_url becomes no http:// or https:// URL")


def test_everything_wrong_in_a_profile_is_a_line_that_names_file_and_field(tmp_path: Path) -> None:
    profile = tmp_path / "provider.yaml"
    profile.write_text("name: Provider\nbase_url: ftp://x\n")

    found = problems(PROVIDER_PROFILE=str(profile))

    assert len(found) > 3
    assert all(problem.startswith(f"PROVIDER_PROFILE: {profile}: ") for problem in found)
    assert any(": base_url: " in problem for problem in found)


def test_an_unknown_profile_is_a_problem_among_others() -> None:
    found = problems(PROVIDER_PROFILE="unheard-of", REDIS_URL="")

    assert [problem.split(":")[0] for problem in found] == ["PROVIDER_PROFILE", "REDIS_URL"]


def test_neither_repr_nor_str_shows_a_secret() -> None:
    settings = Settings.from_environment(COMPLETE)

    for text in (repr(settings), str(settings), f"{settings}"):
        assert PASSWORD not in text
        assert "t0ken-of-the-sandbox" not in text
        assert "rediss://reader:***@cache.example.org:6380/0" in text
        assert "s3://key:***@bucket/landing?region=***&session_token=***" in text


@given(
    user=st.text("abc%40", max_size=5),
    password=st.from_regex(r"[A-Za-z0-9%!:]{8,20}", fullmatch=True).map(lambda text: f"Zq{text}"),
)
def test_a_redacted_url_never_holds_the_password(user: str, password: str) -> None:
    assert password not in redacted(f"redis://{user}:{password}@cache.example.org/0?password={password}")


def test_a_url_without_credentials_is_shown_as_it_is() -> None:
    assert redacted("redis://127.0.0.1:6390/0") == "redis://127.0.0.1:6390/0"
    assert redacted("file:///srv/landing") == "file:///srv/landing"


def test_the_variables_that_are_read_are_those_expected() -> None:
    assert asked_variables() == [
        "ALERT_SLACK_WEBHOOK_URL",
        "ALERT_SNS_TOPIC_ARN",
        "ALERT_WEBHOOK_URL",
        "CHANGES_KEPT",
        "CUSTOMER_PIPELINE_PREFIX",
        "CUSTOMER_PIPELINE_START",
        "DAGSTER_HOME",
        "DAGSTER_WEBSERVER_URL",
        "LANDING_RETENTION_DAYS",
        "LANDING_URI",
        "PROVIDER_PROFILE",
        "REDIS_URL",
        "SANDBOX_TOKEN",
        "SANDBOX_URL",
    ]


def test_every_variable_is_in_the_example_after_one_line_of_comment() -> None:
    lines = (REPOSITORY / ".env.example").read_text().splitlines()

    for name in [*asked_variables(), "CUSTOMER_PIPELINE_HOME"]:
        (number,) = [number for number, line in enumerate(lines) if re.match(rf"#?{name}=", line)]
        above = lines[number - 1]
        assert above.startswith("# ") or re.match("[A-Z_]+=", above), name


def test_every_variable_is_in_the_readme() -> None:
    readme = (REPOSITORY / "README.md").read_text()

    secrets = load_profile("sandbox").secret_names()  # these are the profile's own, and each profile has others
    for name in [*asked_variables(), "CUSTOMER_PIPELINE_HOME"]:
        assert name in readme or name in secrets, name


def test_the_example_works_as_it_is_wherever_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PWD", "/srv/customer pipeline")
    values = dotenv_values(REPOSITORY / ".env.example")

    settings = Settings.from_environment({name: value for name, value in values.items() if value})

    assert settings.redis_url == "redis://127.0.0.1:6390/0"
    assert settings.landing_uri == "file:///var/tmp/customer_pipeline/landing"
    LandingStore(settings.landing_uri)  # refuses what it cannot use
