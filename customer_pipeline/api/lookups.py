"""Who has an e-mail address or a telephone number: through the indexes of the cache, each hit proven."""

from typing import Literal

from customer_pipeline.api.reading import Cache, Document
from customer_pipeline.cache.entries import text_of, values_of
from customer_pipeline.cache.keys import CacheKeys

MOST = 100

Field = Literal["email", "phone"]


async def find(cache: Cache, field: Field, value: str, *, keys: CacheKeys) -> tuple[list[Document], bool]:
    """Return the customers who have a normalized value, and whether these are all: there are `MOST` at most.

    Raises:
        CacheError: if the cache cannot be asked.
    """
    index = keys.by_email if field == "email" else keys.by_phone
    text = text_of(value)
    found = await cache.members(index, text + b"\n", limit=MOST + 1)
    ids = [member.decode("utf-8", "replace") for member in found[:MOST]]
    documents = [each.document for each in await cache.customers(ids) if each.document]
    # The index of a cluster, or of the moment before, may still name who has the value no more.
    return [each for each in documents if getattr(values_of(each.body), field) == text], len(found) <= MOST
