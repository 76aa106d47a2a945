"""The embedded stack in the foreground: checks, starts everything in order, says where it is, and watches."""

import contextlib
import dataclasses
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from customer_pipeline.api.key_file import KeyFileError
from customer_pipeline.cache.connection import connect
from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.errors import CacheError, CacheUnavailable
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.loads import Loads
from customer_pipeline.commands import api
from customer_pipeline.connectivity import cache_obstacle, landing_obstacle, what_to_say
from customer_pipeline.dev import command, environment, first_load, services
from customer_pipeline.dev.demo_key import demo_key
from customer_pipeline.dev.environment import Ports
from customer_pipeline.dev.home import Home
from customer_pipeline.dev.ports import Wish, accepts, listens, require_free
from customer_pipeline.dev.supervisor import ServiceDied, StopRequested, Supervisor
from customer_pipeline.instance.webserver import Webserver, WebserverError
from customer_pipeline.settings import Settings, redacted
from customer_pipeline.timestamps import now
from customer_pipeline.windows import floor

# The lineage with its groups unfolded, as the pinned version of the UI writes it.
LINEAGE = "/asset-groups?expanded=" + ",".join(
    f"global@global:{group}"
    for group in ("ingestion", "normalization", "publication", "snapshot", "reconciliation", "health")
)
START_SECONDS = 180.0


class StackError(Exception):
    """The stack cannot start, or had to end; the message says why."""


def run(environ: Mapping[str, str], *, ports: Ports, say: Callable[[str], None]) -> None:
    """Run the stack until a signal ends it. `say` gets every line that a person reads.

    Raises:
        SettingsError: if a setting is malformed.
        HomeInUse: if another stack runs on the same home.
        HomeUnusable: if the home cannot be made or written.
        PortTaken: if a port is not free.
        StackError: if the given cache does not answer, the landing store cannot be written, or a service does not start
            or ends.
    """
    home = Home.from_environment(environ)
    with home.lock() as lock:
        complete = environment.complete(environ, home=home, ports=ports)
        home.prepare()
        stack = Stack(
            home=home,
            ports=ports,
            environ=complete,
            settings=Settings.from_environment(complete),
            own_cache=environment.has_own_cache(environ),
            own_instance=environment.has_own_instance(environ),
            sandbox=environment.has_sandbox(environ),
            api=api.is_installed(),
            say=say,
        )
        require_free(stack.wishes())
        stack.require_stores()
        lock.record(
            ui=ports.ui_url,
            provider=ports.provider_url if stack.sandbox else None,
            ports=dataclasses.asdict(ports),
            given=environment.given(environ),
        )
        stack.run(held=lock.descriptor)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stack:
    """One life of the embedded stack.

    Attributes:
        home: its state.
        ports: where its servers listen.
        environ: the environment of its services.
        settings: what that environment says.
        own_cache: whether it starts a Valkey.
        own_instance: whether the Dagster instance is its own.
        sandbox: whether it starts the sandbox.
        api: whether it starts the read API, which is an extra.
        say: prints a line.
    """

    home: Home
    ports: Ports
    environ: Mapping[str, str]
    settings: Settings
    own_cache: bool
    own_instance: bool
    sandbox: bool
    api: bool
    say: Callable[[str], None]

    def wishes(self) -> list[Wish]:
        """Return the ports that its services want."""
        wishes = [Wish(port=self.ports.ui, owner="the UI", flag="--port")]
        if self.own_cache:
            wishes.append(Wish(port=self.ports.cache, owner="the cache", flag="--cache-port"))
        if self.sandbox:
            wishes.append(Wish(port=self.ports.provider, owner="the sandbox provider", flag="--provider-port"))
        if self.api:
            wishes.append(Wish(port=self.ports.api, owner="the read API", flag="--api-port"))
        return wishes

    def require_stores(self) -> None:
        """Return if a given server of REDIS_URL answers and the landing store can be written."""
        obstacle = (None if self.own_cache else cache_obstacle(self.settings)) or landing_obstacle(self.settings)
        if obstacle:
            raise StackError(obstacle)

    def run(self, *, held: int) -> None:
        """Start the services and watch them; `held` is open until the last one has ended."""
        started = now()
        stopping = threading.Event()
        with (
            # The path of a socket is short by law, and that of a home need not be.
            tempfile.TemporaryDirectory(prefix="customer-pipeline-") as folder,
            Supervisor(
                environ=self.environ, folder=self.home.path, held=[held], temporary=[Path(folder)]
            ) as supervisor,
        ):
            try:
                self.say(f"starting; everything is kept in {self.home.path}")
                webserver = self._start(supervisor, code_socket=Path(folder) / "code.sock")
                self._introduce(key=demo_key(self.environ) if self.api else None)
                load = threading.Thread(target=self._load, args=(webserver, started, stopping), daemon=True)
                load.start()
                supervisor.watch()
            except StopRequested:
                self.say("ending every process; Ctrl-C again kills them")
            except ServiceDied as error:
                self.say("a service has ended; ending the others")
                raise StackError(str(error)) from error
            except KeyFileError as error:
                raise StackError(str(error)) from error
            except TimeoutError as error:
                raise StackError(f"{error}; the logs are in {self.home.logs}") from error
            finally:
                stopping.set()
        self.say("ended; the next start continues from here")

    def _start(self, supervisor: Supervisor, *, code_socket: Path) -> Webserver:
        webserver = Webserver(self.ports.ui_url, location=services.LOCATION)
        workspace = self.home.path / "workspace.yaml"
        services.write_workspace(workspace, socket=code_socket)
        supervisor.start(
            *([services.cache(self.home, self.ports)] if self.own_cache else []),
            *([services.sandbox(self.home, self.ports)] if self.sandbox else []),
        )
        supervisor.start(services.code_server(self.home, socket=code_socket))
        # A webserver that finds no code server shows an error until someone reloads the location.
        _wait(supervisor, lambda: listens(code_socket), "the code server")
        supervisor.start(
            services.webserver(self.home, self.ports, workspace=workspace),
            services.daemon(self.home, workspace=workspace),
        )
        _wait(supervisor, self._cache_answers, "the cache")
        if self.sandbox:
            _wait(supervisor, lambda: accepts(self.ports.provider), "the sandbox provider")
        if self.api:
            supervisor.start(services.api(self.home, self.ports))
            _wait(supervisor, lambda: accepts(self.ports.api), "the read API")
        _wait(supervisor, webserver.answers, "the UI")
        return webserver

    def _introduce(self, *, key: str | None) -> None:
        provider = self.ports.provider_url if self.sandbox else f"profile {self.settings.profile.name}"
        self.say(f"open first   {self.ports.ui_url}{LINEAGE} (the lineage, in the Dagster UI)")
        if key:
            self.say(f"read API     {self.ports.api_url}/docs")
            self.say(f"its key      {key} (for this start)")
        else:
            self.say(f"no read API  {api.INSTALL}")
        self.say(f"cache        {redacted(self.settings.redis_url)}")
        self.say(f"provider     {provider}")
        self.say(f"landing      {redacted(self.settings.landing_uri)}")
        self.say(f"logs         {self.home.logs}")
        if self.sandbox:
            self.say(f"an outage    {command.written()} sandbox fault down --for 15m")
        self.say("the end      Ctrl-C")

    def _load(self, webserver: Webserver, started: datetime, stopping: threading.Event) -> None:
        def say(text: str) -> None:
            if not stopping.is_set():
                self.say(text)

        until = floor(now())
        try:
            with contextlib.closing(connect(self.settings.redis_url)) as connection:
                keys = CacheKeys(self.settings.prefix)
                coverage = Coverage(connection, keys=keys, start=self.settings.start)
                loads = Loads(connection, keys=keys)
                walked = self.settings.profile.snapshot.enabled
                first_load.run(
                    webserver,
                    until=until,
                    loaded=lambda: not walked or loads.read().as_of is not None,
                    gaps=lambda: coverage.gaps(until),
                    abandoned_before=started if self.own_instance else None,
                    say=say,
                    stopped=stopping.wait,
                )
        except (WebserverError, CacheError) as error:
            reason = what_to_say(error) if isinstance(error, CacheError) else error
            say(f"the first load was not requested, the schedule goes on without it: {reason}")

    def _cache_answers(self) -> bool:
        try:
            connect(self.settings.redis_url).close()
        except CacheUnavailable:
            return False
        return True


def _wait(supervisor: Supervisor, condition: Callable[[], bool], what: str) -> None:
    supervisor.wait_until(condition, what=what, timeout_seconds=START_SECONDS)
