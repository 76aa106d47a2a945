import re
from datetime import timedelta
from pathlib import Path

import pytest

from customer_pipeline.api.settings import ApiSettings, keys_file
from customer_pipeline.settings import SettingsError

REPOSITORY = Path(__file__).parents[2]
GIVEN = {
    "REDIS_URL": "redis://user:secret@cache.example.org/0",
    "CUSTOMER_PIPELINE_PREFIX": "client",
    "API_KEYS_FILE": "/srv/keys.json",
    "API_REQUESTS_PER_MINUTE": "60",
    "API_STREAMS": "5",
    "API_STALE_AFTER_MINUTES": "40",
    "API_CORS_ORIGINS": "https://app.example.org, http://localhost:5173,http://[::1]:80",
}


def test_every_variable_is_read() -> None:
    assert ApiSettings.from_environment(GIVEN) == ApiSettings(
        redis_url=GIVEN["REDIS_URL"],
        prefix="client",
        keys_file=Path("/srv/keys.json"),
        requests_per_minute=60,
        streams=5,
        stale_after=timedelta(minutes=40),
        cors_origins=("https://app.example.org", "http://localhost:5173", "http://[::1]:80"),
    )
    assert "secret" not in repr(ApiSettings.from_environment(GIVEN))


def test_only_the_cache_is_required() -> None:
    settings = ApiSettings.from_environment({"REDIS_URL": "redis://host", "CUSTOMER_PIPELINE_HOME": "/srv/home"})
    assert settings.keys_file == Path("/srv/home/api-keys.json")
    assert (settings.requests_per_minute, settings.stale_after) == (6000, timedelta(minutes=25))
    assert settings.cors_origins == ()
    with pytest.raises(SettingsError, match="REDIS_URL: is not set"):
        ApiSettings.from_environment({})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("API_KEYS_FILE", "keys.json"),
        ("API_KEYS_FILE", "/"),
        ("API_REQUESTS_PER_MINUTE", "0"),
        ("API_REQUESTS_PER_MINUTE", "many"),
        ("API_STREAMS", "-1"),
        ("API_STALE_AFTER_MINUTES", "1.5"),
        ("API_CORS_ORIGINS", "*"),
        ("API_CORS_ORIGINS", "https://app.example.org/"),
        ("API_CORS_ORIGINS", "https://app.example.org,null"),
        ("API_CORS_ORIGINS", "https://*.example.org"),
    ],
)
def test_what_is_malformed_is_named(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}: .*; expected .*, such as "):
        ApiSettings.from_environment(GIVEN | {name: text})
    if name == "API_KEYS_FILE":
        with pytest.raises(SettingsError, match=name):
            keys_file({name: text})


def test_every_variable_is_in_the_example_the_readme_and_the_documentation() -> None:
    example = (REPOSITORY / ".env.example").read_text()
    for name in GIVEN:
        assert re.search(rf"^#?{name}=", example, re.MULTILINE), name
        for file in ("README.md", "docs/api.md"):
            assert name in (REPOSITORY / file).read_text(), (file, name)
