"""The customer who stands in every example of the reference."""

from typing import Any

ID = "cus_00042"
UPDATED_AT = "2026-11-23T07:50:00.000000Z"
VERSION = f"{UPDATED_AT}/2026-11-23T08:00:01.250000Z"

CUSTOMER: dict[str, Any] = {
    "version": VERSION,
    "id": ID,
    "email": "ada@example.org",
    "phone": "+41446681800",
    "name": "Ada Lovelace",
    "given_name": "Ada",
    "family_name": "Lovelace",
    "company": None,
    "address": {
        "line1": "Bahnhofstrasse 1",
        "line2": None,
        "city": "Zürich",
        "region": "ZH",
        "postal_code": "8001",
        "country": "CH",
    },
    "status": "active",
    "language": "de-CH",
    "tags": ["newsletter"],
    "attributes": {"loyalty": 3},
    "created_at": "2025-02-01T10:00:00.000000Z",
    "updated_at": UPDATED_AT,
    "deleted_at": None,
    "invalid": [],
}
BATCH = {"customers": [CUSTOMER], "missing": ["cus_99999"]}
PAGE = {"customers": [CUSTOMER], "next": "WzE3OTU0MTk5MDAwMDAsImN1c18wMDA0MiJd"}
LOOKUP = {"customers": [CUSTOMER], "complete": True}
FRESHNESS: dict[str, Any] = {
    "as_of": "2026-11-23T08:00:00.000000Z",
    "latest": "2026-11-23T08:00:00.000000Z",
    "gaps": [],
    "stale_since": None,
    "published_at": "2026-11-23T08:00:03.500000Z",
    "stale": False,
}
CHANGES = (
    "retry: 3000\nid: 1795420803500-0\nevent: ready\ndata: {}\n\n"
    "id: 1795420804200-0\nevent: changed\n"
    f'data: {{"id":"{ID}","version":"{VERSION}","kind":"changed"}}\n\n'
)
METRICS = 'customers_api_requests_total{route="/v1/customers/{customer_id}",status="200"} 12345.0\n'
REQUEST_ID = "5f0c1d2e3a4b5c6d7e8f901234567890"
PROBLEMS = {
    400: "limit: Input should be less than or equal to 500",
    401: "Send a key: `Authorization: Bearer ck_...`.",
    403: "The key lacks the scope lookup.",
    404: "No customer is known by this id.",
    410: "The customer was deleted at the provider.",
    413: "No request here has a body.",
    414: "An address has at most 8192 bytes.",
    429: "Try again in 2 s.",
    431: "The headers have at most 16384 bytes.",
    500: "The service has failed; its log has the request's id.",
    503: "The cache cannot be asked at present; try again.",
}
