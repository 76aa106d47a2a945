"""Who has an e-mail address or a telephone number: through the indexes of the cache, each hit proven."""

from typing import Literal

import orjson

from customer_pipeline.api.reading import Cache, Document
from customer_pipeline.cache.keys import CacheKeys

MOST = 100

Field = Literal["email", "phone"]


def index_of(field: Field, keys: CacheKeys) -> str:
    """Return the key of the index of a field."""
    return f"{keys.prefix}s:by_{field}"


def member_prefix(value: str) -> bytes:
    """Return what the index's members of a value begin with: its JSON text between the quotes; the id follows."""
    return orjson.dumps(value)[1:-1] + b"\n"


async def find(cache: Cache, field: Field, value: str, *, keys: CacheKeys) -> tuple[list[Document], bool]:
    """Return the customers who have a normalized value, and whether these are all: there are `MOST` at most.

    Raises:
        CacheError: if the cache cannot be asked.
    """
    found = await cache.members(index_of(field, keys), member_prefix(value), limit=MOST + 1)
    ids = [member.decode() for member in found[:MOST]]
    documents = [each.document for each in await cache.customers(ids) if each.document]
    # The index of a cluster, or of the moment before, may still name who has the value no more.
    return [each for each in documents if orjson.loads(each.body).get(field) == value], len(found) <= MOST
