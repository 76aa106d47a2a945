"""Answers: bodies as they are, compressed where the client can read that, with what tells one state from another."""

import asyncio
import hashlib
import re
import zlib
from collections.abc import Iterable
from functools import lru_cache

from starlette.responses import Response
from starlette.types import Scope

from customer_pipeline.api.reading import Document
from customer_pipeline.timestamps import format_http_date, parse_instant

JSON = b"application/json"

_REVALIDATED = (b"cache-control", b"private, no-cache")
_NOT_STORED = (b"cache-control", b"private, no-store")
_VARY = (b"vary", b"accept-encoding")
_WORTH_COMPRESSING = 1000
_SLOW_TO_COMPRESS = 100_000
_TAG = re.compile(rb'(?:W/)?"([^"]*)"')
_CODING = re.compile(rb"(gzip|\*)\s*(?:;\s*q\s*=\s*([0-9.]+)\s*)?")

Header = tuple[bytes, bytes]


class Answer(Response):
    """An answer whose headers are bytes already."""

    def __init__(  # its base would encode the headers
        self, status: int, body: bytes, headers: Iterable[Header], *, media_type: bytes | None = JSON
    ) -> None:
        self.status_code = status
        self.body = body
        self.background = None
        self.raw_headers = list(headers)
        if media_type is not None:
            self.raw_headers += [(b"content-type", media_type), (b"content-length", b"%d" % len(body))]


def header(scope: Scope, name: bytes) -> bytes:
    """Return a header of the request; empty where there is none."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return b""


async def with_document(scope: Scope, document: Document) -> Answer:
    """Answer with a customer, or that the client has it."""
    tag = b"%s/%s" % (document.version.encode(), hashlib.blake2b(document.body, digest_size=8).hexdigest().encode())
    headers = [_REVALIDATED, _VARY, (b"last-modified", _http_date(document.updated_at))]
    is_known = _is_known(header(scope, b"if-none-match"), tag)
    body, encoding = await _compressed(scope, document.body)
    headers.append((b"etag", b'"%s-gzip"' % tag if encoding else b'"%s"' % tag))
    if is_known:
        return Answer(304, b"", headers, media_type=None)
    return Answer(200, body, [*headers, *encoding])


async def with_json(scope: Scope, body: bytes, *, headers: Iterable[Header] = (), stored: bool = False) -> Answer:
    """Answer with JSON; `stored` is whether the client may keep it, and ask each time whether it still holds."""
    content, encoding = await _compressed(scope, body)
    return Answer(200, content, [_REVALIDATED if stored else _NOT_STORED, _VARY, *headers, *encoding])


def small(status: int, body: bytes, *, media_type: bytes = JSON, headers: Iterable[Header] = ()) -> Answer:
    """Answer with something that nobody keeps."""
    return Answer(status, body, [_NOT_STORED, *headers], media_type=media_type)


@lru_cache(maxsize=1000)
def takes_gzip(accept_encoding: bytes) -> bool:
    """Return whether the client can read gzip: what is said of gzip counts more than what is said of all others."""
    parts = [_CODING.fullmatch(part.strip()) for part in accept_encoding.lower().split(b",")]
    wanted = {match[1]: match[2] is None or match[2].strip(b"0.") != b"" for match in parts if match}
    return wanted.get(b"gzip", wanted.get(b"*", False))


@lru_cache(maxsize=10_000)
def _http_date(instant: str) -> bytes:
    return format_http_date(parse_instant(instant)).encode()


def _is_known(if_none_match: bytes, tag: bytes) -> bool:
    """Compare weakly: what is compressed and what is not are the same customer."""
    if not if_none_match:
        return False
    return if_none_match.strip() == b"*" or any(
        known.removesuffix(b"-gzip") == tag for known in _TAG.findall(if_none_match)
    )


async def _compressed(scope: Scope, body: bytes) -> tuple[bytes, list[Header]]:
    if len(body) < _WORTH_COMPRESSING or not takes_gzip(header(scope, b"accept-encoding")):
        return body, []
    packed = _gzip(body) if len(body) < _SLOW_TO_COMPRESS else await asyncio.to_thread(_gzip, body)
    return packed, [(b"content-encoding", b"gzip")]


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(level=1, wbits=31)
    return packer.compress(body) + packer.flush()
