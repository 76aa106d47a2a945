"""What a document is found by: cut out of its text, by Python and by the guard's Lua, and never anything else."""

import json
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from customer_pipeline.cache.codec import encode
from customer_pipeline.cache.connection import Connection, connect
from customer_pipeline.cache.entries import Entry, Values, parse, text_of, values_of
from customer_pipeline.cache.exchange import script
from customer_pipeline.customers.schemas import CUSTOMERS
from customer_pipeline_tests.servers import ValkeyServer

AT = datetime(2026, 11, 23, 7, 50, tzinfo=UTC)
# What would be taken for a member, if anything could be.
TRAPS = (
    ',"email":',
    '","email":"',
    ',"phone":"',
    '","phone":null',
    ',"name":',
    'null,"phone":',
    '\\","email":"',
    '"',
    "\\",
    "\n",
    "\u2028",
    "é😀",
    "null",
    "ab",
)
TEXT = st.lists(st.sampled_from(TRAPS) | st.text(st.characters(codec="utf-8"), max_size=4), max_size=4).map("".join)
ROWS = st.fixed_dictionaries(
    {
        "id": TEXT.filter(bool),
        **{name: st.none() | TEXT for name in ("email", "phone", "name", "given_name", "company", "status")},
        "tags": st.lists(TEXT, max_size=3),
        "attributes": st.dictionaries(TEXT | st.sampled_from(["email", "phone", "name"]), TEXT | st.none()).map(
            json.dumps
        ),
    }
)
_VALUES = """
local email, phone = values(ARGV[1])
return {email or '', phone or ''}
"""


@pytest.fixture(scope="module")
def client(valkey_server: ValkeyServer) -> Connection:
    return connect(valkey_server.url)


def of_lua(client: Connection, document: bytes) -> Values:
    ((email, phone),) = script("entries.lua", body=_VALUES).run(client, [(1, "any", document)])
    return Values(email or None, phone or None)


def document_of(row: dict[str, Any]) -> bytes:
    full = {"invalid": [], **row, "updated_at": AT, "fetched_at": AT}
    (state,) = encode(pa.Table.from_pylist([full], schema=CUSTOMERS))
    assert state.document is not None
    return state.document


@given(row=ROWS)
@example(row={"id": '","email":"x', "email": None, "phone": None, "attributes": '{"email":"a","phone":"b","name":"c"}'})
@example(row={"id": "\\", "email": '"a\\"@b.c', "phone": "+4144", "name": ',"phone":'})
@example(row={"id": "1", "email": "ab", "phone": "x", "name": None})
def test_the_values_are_those_of_the_parsed_document(client: Connection, row: dict[str, Any]) -> None:
    document = document_of(row)
    parsed = orjson.loads(document)
    found = values_of(document)
    assert found == Values(*(text_of(parsed[name]) if parsed[name] else None for name in ("email", "phone")))
    assert of_lua(client, document) == found


FRAGMENTS = st.sampled_from(['"', "x", "null", "", '"x"', ',"email":', ',"phone":', ',"name":', "}", "5"])


@given(document=st.binary(max_size=120) | st.lists(FRAGMENTS, max_size=9).map(lambda parts: "".join(parts).encode()))
def test_what_something_else_wrote_is_read_alike_by_both(client: Connection, document: bytes) -> None:
    document = document_of({"id": "1"})[:76] + document
    assert of_lua(client, document) == values_of(document)


@pytest.mark.parametrize("document", [None, b"", b"{}", b"not json", b'{"version":"x","id":"a"}'])
def test_what_has_no_values_gives_none(client: Connection, document: bytes | None) -> None:
    assert values_of(document) == Values()
    assert of_lua(client, document or b"") == Values()


@given(value=TEXT, customer_id=st.text(min_size=1))
def test_an_entry_is_taken_apart_as_it_was_put_together(value: str, customer_id: str) -> None:
    entry = Entry(text_of(value), customer_id.encode(errors="replace"))
    assert b"\n" not in entry.value
    assert parse(bytes(entry)) == entry


def test_a_member_that_is_no_entry_has_no_id_and_stays_what_it_is() -> None:
    assert bytes(parse(b"something else")) == b"something else"
    assert bytes(parse(b"something else\n")) == b"something else\n"
    assert parse(b"something else") == Entry(b"something else", None)
