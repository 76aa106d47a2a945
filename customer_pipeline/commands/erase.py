"""`customer-pipeline erase`: erase one customer for good, and prove it; or let one be published again."""

import argparse
import getpass
import os
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta

from customer_pipeline.commands.erase_proof import Proof, StorageUnreadable, runs_under_way, search
from customer_pipeline.commands.output import MISCONFIGURED, complain, say
from customer_pipeline.commands.surroundings import environment, webserver_url
from customer_pipeline.dev.home import Home
from customer_pipeline.instance import erasures
from customer_pipeline.instance.graphql import GraphQL, WebserverError
from customer_pipeline.instance.runs import first_line_of_failure
from customer_pipeline.instance.watching import PATIENCE, POLL_SECONDS, QUEUE_PATIENCE
from customer_pipeline.settings import Settings
from customer_pipeline.timestamps import now

LEFT = 1
NOT_PROVEN = 3
INTERRUPTED = 130

_ANSWER_TIMEOUT = timedelta(seconds=30)


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to a parser."""
    parser = commands.add_parser(
        "erase",
        help="erase one customer from cache and landing store for good, and prove it",
        description="Removes the customer from cache, index, landing store and the samples that reconciliations have "
        "shown, and leaves a salted hash, by which every later publication and replay leaves the customer out. Broken "
        "off, the same command goes on. Exit codes: 0 erased and proven, 1 something is left, 2 an argument or a "
        "setting is wrong, 3 erased, but not proven for Dagster.",
    )
    parser.add_argument("id", metavar="ID", help="of the customer; - reads it from standard input")
    parser.add_argument("--unsuppress", action="store_true", help="let the customer be published again; erases nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--by", metavar="WHO", help="who asked for it, for the audit (default: user@host)")
    parser.add_argument(
        "--url", help="of the Dagster UI (default: DAGSTER_WEBSERVER_URL, or that of the running stack)"
    )
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    # Slow to import.
    from customer_pipeline.cache.errors import CacheError  # noqa: PLC0415
    from customer_pipeline.customers.identity import usable_id  # noqa: PLC0415
    from customer_pipeline.erasure.erase import ErasureUnfinished  # noqa: PLC0415
    from customer_pipeline.landing.errors import LandingError  # noqa: PLC0415

    try:
        customer_id = sys.stdin.readline().rstrip("\r\n") if arguments.id == "-" else arguments.id
        if usable_id(customer_id) is None:
            return complain("ID: no customer can have such an id; expected the text of the document's key", code=2)
        environ = environment(os.environ)
        settings = Settings.from_environment(environ)
        by = arguments.by or f"{getpass.getuser()}@{socket.gethostname()}"
        if arguments.unsuppress:
            return _unsuppress(customer_id, settings, by=by)
        if not (arguments.yes or _is_confirmed()):
            return complain("nothing was erased; --yes does not ask", code=MISCONFIGURED)
        return _Command(customer_id, settings, environ, by=by, url=arguments.url).run()
    except (LandingError, CacheError, ErasureUnfinished) as error:
        return complain(f"{error}\nrepeat the command once that is so: it goes on", code=LEFT)
    except KeyboardInterrupt:
        return complain(
            "interrupted; what was entered stays suppressed, and the same command goes on", code=INTERRUPTED
        )


def _is_confirmed() -> bool:
    if not sys.stdin.isatty():
        return False
    return input("Erase this customer from cache and landing store for good? [y/N] ").strip().lower() == "y"


def _unsuppress(customer_id: str, settings: Settings, *, by: str) -> int:
    from customer_pipeline.erasure.ledger import Ledger  # noqa: PLC0415
    from customer_pipeline.landing.store import LandingStore  # noqa: PLC0415

    lifted = Ledger(LandingStore(settings.landing_uri).notes).lift(customer_id, by=by)
    for hash_ in lifted:
        say(f"{hash_} is lifted by {by}: the customer comes back when the provider shows a change, or by a backfill")
    return 0 if lifted else complain("no customer of this id is suppressed", code=LEFT)


class _Command:
    """One erasure: entered here, done by the job where there is one, and proven here, where the id is known."""

    def __init__(
        self, customer_id: str, settings: Settings, environ: Mapping[str, str], *, by: str, url: str | None
    ) -> None:
        self._id = customer_id
        self._settings = settings
        self._environ = environ
        self._by = by
        self._graphql = GraphQL(webserver_url(environ, given=url), timeout=_ANSWER_TIMEOUT)
        self._unknown_runs: str | None = None

    def run(self) -> int:
        from customer_pipeline.cache.connection import connect  # noqa: PLC0415
        from customer_pipeline.cache.keys import CacheKeys  # noqa: PLC0415
        from customer_pipeline.erasure.erase import Erasure, Stores  # noqa: PLC0415

        settings = self._settings
        with closing(connect(settings.redis_url)) as connection:
            stores = Stores(
                landing_uri=settings.landing_uri,
                connection=connection,
                keys=CacheKeys(settings.prefix),
                mapping=settings.profile,
            )
            hash_ = stores.ledger.enter(self._id, by=self._by)
            say(f"{hash_} is suppressed from now on, by {self._by}")
            has_waited = self._by_the_job(hash_)
            # The job knows the hash alone: what mentions the id and is no record of the customer is found here.
            erased = Erasure(stores, hash_, customer_id=self._id).run(
                under_way=set if has_waited else self._runs, wait=time.sleep, by=self._by
            )
        found = ", ".join(f"{count:,} {name}" for name, count in sorted(erased.found.items())) or "nothing"
        say(f"removed {'besides' if has_waited else 'here'}: {found}; two passes over everything found nothing more")
        if erased.mentions:
            say(f"{erased.mentions:,} records of other customers mention the id; they stay")
        return self._told(hash_, self._proof(), other_keys=erased.other_keys)

    def _by_the_job(self, hash_: str) -> bool:
        """Let the job do it, and return whether it has."""
        try:
            run_id = erasures.launch(self._graphql, hash_)
        except WebserverError as error:
            say(f"{error}; the customer is erased by this process instead")
            return False
        say(self._graphql.link(erasures.page(run_id)))
        heard = launched = now()
        while True:
            try:
                state = erasures.state(self._graphql, run_id)
                heard = now()
                if state.succeeded:
                    say("the job has erased the customer: its counts are on that page")
                    return True
                if state.ended:
                    cause = first_line_of_failure(self._graphql, state.run) or "it does not say why"
                    say(f"the job ended as {state.run.status}: {cause}; this process goes on")
                    return False
                if state.queued and heard - launched >= QUEUE_PATIENCE:
                    self._unqueue(run_id)
                    return False
            except WebserverError as error:
                if now() - heard > PATIENCE:
                    say(f"{error}; this process goes on")
                    return False
            time.sleep(POLL_SECONDS)

    def _unqueue(self, run_id: str) -> None:
        say(
            f"the run has been queued for {QUEUE_PATIENCE.total_seconds():.0f} seconds: does the daemon run? "
            "`customer-pipeline status` tells; this process goes on"
        )
        try:
            erasures.cancel(self._graphql, run_id)
        except WebserverError as error:
            say(f"the run stays in the queue ({error}): once it begins, it finds nothing")

    def _runs(self) -> set[str]:
        try:
            return runs_under_way(self._environ)
        except StorageUnreadable as error:
            self._unknown_runs = f"{error}: a run that is under way may publish the customer again"
            return set()

    def _proof(self) -> Proof:
        home = Home.from_environment(self._environ)
        return search(self._id, self._environ, logs=[home.logs] if home.running() else [])

    def _told(self, hash_: str, proof: Proof, *, other_keys: list[str]) -> int:
        from customer_pipeline.erasure.target import is_number  # noqa: PLC0415

        if count := proof.taken_out:
            some = f"{count:,} reconciliation{'s' * (count != 1)}"
            say(f"the id is taken out of the sample of {some} in Dagster's history")
        left = [f"the key {key} of the cache mentions the id: remove it" for key in other_keys]
        left += [f"{count:,} times in {place}" for place, count in sorted(proof.traces.items())]
        if proof.runs:
            left.append(f"of the runs {', '.join(proof.runs)}: `dagster run delete RUN` removes one, not its logs")
        unproven = [*proof.unsearched, *([self._unknown_runs] if self._unknown_runs else [])]
        if left:
            said = ["the id is left in what is no customer's record; remove it, then repeat the command:", *left]
            return complain("\n  ".join([*said, *(f"not looked through: {one}" for one in unproven)]), code=LEFT)
        if unproven:
            said = ["erased from cache and landing store, but not proven for Dagster; not looked through:", *unproven]
            return complain("\n  ".join(said), code=NOT_PROVEN)
        say(f"no trace of {hash_} is left in cache, landing store, Dagster's storage and compute logs")
        if is_number(self._id):
            say("the id is a number: numbers in texts are not taken for it")
        return 0
