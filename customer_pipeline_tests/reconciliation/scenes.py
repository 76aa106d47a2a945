"""A real provider, a real cache and a real landing store, and what must hold between them in the end."""

from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import orjson
import pyarrow as pa

from customer_pipeline import timestamps
from customer_pipeline.cache.codec import State, encode
from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.cache.stored import content_of
from customer_pipeline.customers import schemas
from customer_pipeline.customers.normalize import Normalizer
from customer_pipeline.erasure.suppressions import Sieve, Suppressions
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.profile import Profile, load_profile
from customer_pipeline.reconciliation.comparison import Comparison
from customer_pipeline.reconciliation.reconciling import FullWalk, reconcile
from customer_pipeline.reconciliation.report import Reconciliation
from customer_pipeline.steps import datasets, ingestion, normalization
from customer_pipeline.windows import Window
from customer_pipeline_tests.cache.states import members
from customer_pipeline_tests.sandbox.running import RunningSandbox

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
KEYS = CacheKeys()


def profile_of(**changes: Any) -> Profile:
    """The sandbox's profile; every request is tried once."""
    content = load_profile("sandbox").model_dump(by_alias=True, exclude_unset=True)
    return Profile.model_validate({**content, "retry": {"attempts": 1}, "limits": {}, **changes})


def entries(documents: Mapping[str, bytes], member: str) -> set[bytes]:
    """The entries that an index must have, told by parsing the documents."""
    values = {name: orjson.loads(document).get(member) for name, document in documents.items()}
    return {orjson.dumps(value)[1:-1] + b"\n" + name.encode() for name, value in values.items() if value is not None}


class Scene:
    """One provider and one cache.

    Attributes:
        before: is called when a walk has begun, before its first request.
        meanwhile: is called when all has landed that changed before the walk.
    """

    def __init__(
        self, sandbox: RunningSandbox, connection: Connection, folder: Path, *, profile: Profile | None = None
    ) -> None:
        self.sandbox = sandbox
        self.connection = connection
        self.landing = LandingStore(folder.as_uri())
        self.profile = profile or profile_of()
        self.client = ProviderClient(self.profile, {"SANDBOX_URL": sandbox.url, "SANDBOX_TOKEN": "sandbox-token"})
        self.publisher = Publisher(connection, keys=KEYS)
        self.before: Callable[[], object] = lambda: None
        self.meanwhile: Callable[[], object] = lambda: None
        self.walks = 0

    def walk(self) -> FullWalk:
        """Walk the provider in one part, and what changed meanwhile in another."""
        self.walks += 1
        started_at = timestamps.now()
        whole = Window(BEGINNING, started_at)
        store = self.landing.snapshot(whole.end)

        def parts() -> Generator[Window]:
            self.before()
            landed = self._landed(whole, store)
            self.meanwhile()
            yield landed
            yield self._landed(Window(whole.end, timestamps.now()), store)

        return FullWalk(started_at=started_at, end=whole.end, landing=store, parts=parts())

    def _landed(self, part: Window, store: LandingStore) -> Window:
        sieve = Sieve(Suppressions.load(store))
        walk = self.client.walk_exactly(part)
        with store.open_writer(datasets.RAW_CUSTOMERS, part, schemas.RAW) as writer:
            for page in walk:
                writer.write(sieve(ingestion.raw_rows(page)))
            writer.facts.update(ingestion.facts_of(walk.stats))
        normalization.normalize(part, profile=self.profile, landing=store)
        return part

    def reconcile(
        self,
        *,
        check_only: bool = False,
        max_deleted_share: float = 0.01,
        due: datetime | None = None,
        publisher: Publisher | None = None,
    ) -> Reconciliation:
        comparison = Comparison(
            self.connection,
            keys=KEYS,
            publisher=None if check_only else publisher or self.publisher,
            due=due or timestamps.now() + timedelta(hours=1),
        )
        return reconcile(self.walk, comparison=comparison, client=self.client, max_deleted_share=max_deleted_share)

    def create(self, customer_id: str, **record: Any) -> None:
        self.sandbox.control("POST", "/customers", json={"id": customer_id, **record})

    def edit(self, customer_id: str, **patch: Any) -> None:
        self.sandbox.control("PUT", f"/customers/{quote(customer_id, safe='')}", json=patch)

    def delete(self, customer_id: str, *, hard: bool) -> None:
        self.sandbox.control("DELETE", f"/customers/{quote(customer_id, safe='')}", params={"hard": int(hard)})

    def states(self, fetched_at: datetime | None = None) -> dict[str, State]:
        """Every customer as the provider has it, deleted ones too, normalized without a walk."""
        records = [orjson.dumps(one["record"]).decode() for one in self.sandbox.truth()]
        fetched_at = fetched_at or timestamps.now()
        raw = pa.record_batch(
            [
                pa.nulls(len(records), pa.string()),
                pa.nulls(len(records), schemas.INSTANT),
                pa.array([fetched_at] * len(records), schemas.INSTANT),
                pa.array(records, pa.string()),
            ],
            schema=schemas.RAW,
        )
        customers = Normalizer(self.profile)(raw, ahead=timedelta(hours=1)).customers
        return {state.id: state for state in encode(customers)}

    def expected(self) -> dict[str, bytes]:
        """What the cache has to hold of each live customer, without the version."""
        return {name: content_of(state.document) for name, state in self.states().items() if state.document}

    def cached(self) -> dict[str, bytes]:
        """What the cache holds of each customer, without the version; the indexes have to say the same."""
        found = {}
        for raw in self.connection.scan_iter(match="customer:*", count=1000):
            key = cast("bytes", raw)
            if not key.endswith(b":tombstone"):
                found[key.decode()[len("customer:{") : -1]] = content_of(cast("bytes", self.connection.get(key)))
        scored = cast("list[tuple[bytes, float]]", self.connection.zrange(KEYS.by_updated_at, 0, -1, withscores=True))
        updated = {name: orjson.loads(b"{" + text.removeprefix(b'",'))["updated_at"] for name, text in found.items()}
        assert {name.decode(): score for name, score in scored} == {
            name: timestamps.epoch_milliseconds(timestamps.parse_instant(text)) for name, text in updated.items()
        }
        by_email, by_phone = (members(self.connection, index) for index in KEYS.by_value)
        documents = {name: b"{" + text.removeprefix(b'",') for name, text in found.items()}
        assert {*by_email} == entries(documents, "email")
        assert {*by_phone} == entries(documents, "phone")
        return found

    def tombstone(self, customer_id: str) -> str:
        return cast("bytes", self.connection.get(KEYS.tombstone(customer_id)) or b"").decode()

    def agrees(self) -> bool:
        return self.cached() == self.expected()
