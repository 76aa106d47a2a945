"""What the services of the embedded stack find in their environment: the caller's, and defaults for what it lacks."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from customer_pipeline.dev.home import Home
from customer_pipeline.dev.ports import HOST
from customer_pipeline.provider.profile import shipped_profiles

SANDBOX = "sandbox"
SANDBOX_TOKEN = "sandbox-token"  # noqa: S105 -- guards invented data only

_DEFAULTED = ("PROVIDER_PROFILE", "REDIS_URL", "LANDING_URI", "CUSTOMER_PIPELINE_START", "CUSTOMER_PIPELINE_PREFIX")
# Where a person serves the example page, or one of their own.
_PAGES = f"http://localhost:8000,http://{HOST}:8000"
_FILES = ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """Where the embedded servers listen."""

    ui: int = 3000
    cache: int = 6390
    provider: int = 8400
    api: int = 8500

    @property
    def ui_url(self) -> str:
        """The webserver."""
        return f"http://{HOST}:{self.ui}"

    @property
    def cache_url(self) -> str:
        """The embedded Valkey."""
        return f"redis://{HOST}:{self.cache}/0"

    @property
    def provider_url(self) -> str:
        """The sandbox."""
        return f"http://{HOST}:{self.provider}"

    @property
    def api_url(self) -> str:
        """The read API."""
        return f"http://{HOST}:{self.api}"


def has_own_cache(environ: Mapping[str, str]) -> bool:
    """Return whether the stack starts a Valkey."""
    return not environ.get("REDIS_URL")


def has_sandbox(environ: Mapping[str, str]) -> bool:
    """Return whether the stack starts the sandbox."""
    return environ.get("PROVIDER_PROFILE", "") in {"", SANDBOX}


def has_own_instance(environ: Mapping[str, str]) -> bool:
    """Return whether the Dagster instance belongs to the stack alone."""
    return not environ.get("DAGSTER_HOME")


def given(environ: Mapping[str, str]) -> list[str]:
    """Return the names of the settings that `environ` has and for which the defaults would be wrong."""
    return [
        name for name in _DEFAULTED if environ.get(name) and not (name == "PROVIDER_PROFILE" and has_sandbox(environ))
    ]


def complete(environ: Mapping[str, str], *, home: Home, ports: Ports) -> dict[str, str]:
    """Return `environ` with a value for every setting; the caller's win.

    Paths become absolute: the services do not run in the caller's working directory.
    """
    defaults = {
        "PROVIDER_PROFILE": SANDBOX,
        "REDIS_URL": ports.cache_url,
        "LANDING_URI": home.landing.as_uri(),
        "DAGSTER_HOME": str(home.dagster),
        "DAGSTER_WEBSERVER_URL": ports.ui_url,
        "API_KEYS_FILE": str(home.api_keys),
        "API_CORS_ORIGINS": _PAGES,
    }
    if not environ.get("CUSTOMER_PIPELINE_START"):
        defaults["CUSTOMER_PIPELINE_START"] = home.start()
    # A stack that starts a sandbox asks that one.
    fixed = {}
    if has_sandbox(environ):
        defaults["SANDBOX_TOKEN"] = SANDBOX_TOKEN
        fixed["SANDBOX_URL"] = ports.provider_url
    given = {name: value for name, value in environ.items() if value}
    complete = {**defaults, **given, **fixed}
    complete["PROVIDER_PROFILE"] = _absolute_profile(complete["PROVIDER_PROFILE"])
    complete["REDIS_URL"] = _with_absolute_files(complete["REDIS_URL"])
    return complete


def _absolute_profile(name_or_path: str) -> str:
    return name_or_path if name_or_path in shipped_profiles() else str(Path(name_or_path).absolute())


def _with_absolute_files(url: str) -> str:
    """Return the URL of a cache with the certificates and keys that it names by absolute paths."""
    try:
        query = urlsplit(url).query
    except ValueError:
        return url  # the settings say what is wrong with it
    if not any(name in query for name in _FILES):
        return url
    pairs = [
        (name, str(Path(value).absolute()) if name in _FILES else value)
        for name, value in parse_qsl(query, keep_blank_values=True)
    ]
    return url.replace(f"?{query}", f"?{urlencode(pairs, safe='/')}")
