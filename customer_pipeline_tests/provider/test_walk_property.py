"""The heart of the product: no row is lost when rows are edited during the walk, whatever the pagination style.

The adversary acts before any answer: it edits rows (once, or several times within one clock tick), inserts rows, also
late ones with a time in the past, and deletes rows. Each example is one provider, one profile that describes it
truthfully, and one sequence of actions.

Outside the contract, because nothing in the answers tells it from a quiet list:

- Rows that are listed but not shown (a server that filters after it has cut its pages) are not deleted during a walk,
  and where pages have numbers, they do not fill a whole page: an empty page is the end.
- Newest-first without an upper bound, a row that was edited or inserted during the walk is not deleted during it.
- A stable pagination whose provider states totals may be refused when rows move behind the walk in every pass.
- A row that is edited within a window that has not ended by the provider's clock may be missed newest-first, and where
  the provider is walked by a stable pagination. Its time is then that of the walk or later, and the next window's
  lookback asks for it again.
"""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st

from customer_pipeline.provider.errors import ProviderMisbehaved
from customer_pipeline.provider.profile import Profile
from customer_pipeline.provider.walk import Walk
from customer_pipeline.windows import Window
from customer_pipeline_tests.provider.simulated import SECOND, Behaviour, Row, SimulatedProvider, microseconds

START = datetime(2026, 11, 23, 7, 50, tzinfo=UTC)
END = START + timedelta(minutes=10)
MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE
STYLES = ("page_number", "offset", "cursor", "next_link", "link_header", "next_header", "last_id")
SENT: dict[str, tuple[dict[str, Any], int]] = {
    "microseconds": ({"format": "rfc3339", "digits": 6}, 1),
    "seconds": ({"format": "rfc3339", "digits": 0, "offset": "+00:00"}, SECOND),
    "epoch_s": ({"format": "epoch_s"}, SECOND),
    "epoch_ms": ({"format": "epoch_ms"}, 1000),
    "minutes": ({"format": "%Y-%m-%dT%H:%M"}, MINUTE),
    "dates": ({"format": "%Y-%m-%d"}, DAY),
}
# Offsets from the window's start, in microseconds: the edges, ties, and distances below every rendering.
PLACES = (
    -DAY, -6 * MINUTE, -5 * MINUTE - 1, -5 * MINUTE, -5 * MINUTE + 1, -2, -1, 0, 1, 400, 999, 500_000, 999_999, SECOND,
    SECOND + 1, SECOND + 500_000, 2 * SECOND, MINUTE, MINUTE + 20 * SECOND, 2 * MINUTE, 5 * MINUTE, 5 * MINUTE + 1,
    10 * MINUTE - SECOND, 10 * MINUTE - 1, 10 * MINUTE, 10 * MINUTE + 1,
)  # fmt: skip


@dataclass
class Adversary:
    """Acts before an answer as long as it has actions left."""

    actions: list[tuple[int, str, int]]
    spares_new_rows: bool
    requests: int = 0
    made: int = 0

    def __call__(self, provider: SimulatedProvider) -> None:
        self.requests += 1
        while self.actions and self.actions[0][0] <= self.requests:
            _, action, number = self.actions.pop(0)
            self._act(provider, action, number)

    def _act(self, provider: SimulatedProvider, action: str, number: int) -> None:
        rows = sorted((row for row in provider.rows.values() if not row.hidden), key=provider._key)
        if action == "tick":
            provider.now += number + 1
        elif action == "insert":
            self.made += 1
            provider.insert(f"{number % 40:02}+{self.made}", provider.now)
        elif action == "insert late":
            self.made += 1
            at = min(microseconds(START) + PLACES[number % len(PLACES)], provider.now)
            provider.insert(f"{number % 40:02}+{self.made}", at)
        elif rows:
            row = rows[number % len(rows)]
            if action == "edit":
                provider.edit(row.id)
            elif not (self.spares_new_rows and row.id in provider.touched):
                provider.delete(row.id)


@st.composite
def providers(draw: st.DrawFn) -> tuple[Profile, SimulatedProvider, dict[str, Row]]:
    style = draw(st.sampled_from(STYLES))
    sent, resolution = SENT[draw(st.sampled_from(sorted(SENT)))]
    sort = draw(st.sampled_from(["ascending", "descending", "id"]))
    cursor = draw(st.sampled_from(["keyset", "offset"]))
    filtered = draw(st.booleans())
    bounded = draw(st.booleans())
    order = "unspecified" if sort == "id" or (sort == "ascending" and not filtered) else sort
    if draw(st.integers(0, 4)) == 0:
        order = "unspecified"
    positional = style in {"page_number", "offset"}
    stable = not positional and style != "last_id" and cursor == "keyset" and draw(st.booleans())
    behaviour = Behaviour(
        sort=sort,
        style=style,
        cursor=cursor,
        includes_since=draw(st.booleans()),
        includes_until=draw(st.booleans()),
        sorts=draw(st.sampled_from([1, 1, SECOND])),
        compares=draw(st.sampled_from([1, resolution])),
        renders=draw(st.sampled_from([1, 1000, SECOND, MINUTE])),
        largest=draw(st.sampled_from([1, 2, 3, 5, 100])),
        anchor_needed=draw(st.booleans()),
    )
    now = draw(st.sampled_from([10 * MINUTE, 10 * MINUTE + 1, 11 * MINUTE, DAY, 5 * MINUTE + 2]))
    places = draw(st.lists(st.sampled_from(PLACES) | st.integers(-MINUTE, 11 * MINUTE), max_size=14))
    if draw(st.booleans()):  # many rows at one instant
        places += [draw(st.sampled_from(PLACES))] * draw(st.integers(1, 12))
    places = [min(place, now) for place in places]
    hides = style not in {"offset", "last_id"} and draw(st.integers(0, 3)) == 0
    ids = draw(st.permutations(range(len(places))))
    rows = {
        f"{number:02}": Row(f"{number:02}", microseconds(START) + place)
        for number, place in zip(ids, places, strict=True)
    }
    size = draw(st.sampled_from([1, 2, 3, 4, 7]))
    if hides and rows and style == "page_number":
        hidden = [draw(st.sampled_from(sorted(rows)))] if min(size, behaviour.largest) > 1 else []
    else:
        hidden = [row_id for row_id in rows if hides and draw(st.booleans())]
    rows.update({row_id: replace(rows[row_id], hidden=True) for row_id in hidden})
    actions = draw(
        st.lists(
            st.tuples(
                st.integers(1, 25),
                st.sampled_from(["edit", "edit", "delete", "delete", "insert", "insert late", "tick"]),
                st.integers(0, 60),
            ),
            max_size=draw(st.sampled_from([0, 2, 8])),
        )
    )
    query = {}
    if filtered:
        query["since"] = "{since}"
    if bounded:
        query["until"] = "{until}"
    pagination: dict[str, Any] = {
        "style": style,
        "order": order,
        "stable": stable,
        "size_param": "size",
        "size": size,
        "max_passes": 2 * len(actions) + 3,
        **{
            "cursor": {"cursor": "cursor"},
            "next_link": {"link": "next"},
            "next_header": {"header": "X-Next"},
            "last_id": {"id_param": "after"},
        }.get(style, {}),
    }
    if not hides and draw(st.booleans()):
        pagination["total"] = "total"
    if positional and not hides and size <= behaviour.largest:
        pagination["short_page_is_last"] = draw(st.booleans())
    profile = Profile.model_validate(
        {
            "name": "simulated",
            "base_url": "http://provider.test",
            "list": {"path": "customers", "records": "items", "query": query, "datetimes": sent},
            "pagination": pagination,
            "lookback": draw(st.sampled_from(["0s", "5m"])),
            "future_margin": "0s",
            "fields": {"id": "id", "updated_at": "at"},
        }
    )
    adversary = Adversary(
        sorted(actions, key=lambda action: action[0]),
        spares_new_rows=sort == order == "descending" and not bounded and not stable,
    )
    provider = SimulatedProvider(behaviour, dict(rows), microseconds(START) + now, adversary)
    return profile, provider, rows


def walked(profile: Profile, provider: SimulatedProvider) -> tuple[Walk, list[dict[str, Any]]]:
    transport: Any = provider
    walk = Walk(transport, profile, Window(START, END))
    return walk, [json.loads(text) for page in walk for text in page.records]


QUARTER_OF_AN_HOUR = 15 * 60 * 1_000_000

Example = tuple[Profile, SimulatedProvider, dict[str, Row]]


@given(providers())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_no_row_is_lost_whatever_changes_during_the_walk(example: Example) -> None:
    assert_nothing_is_lost(example)


def assert_nothing_is_lost(example: Example) -> None:
    profile, provider, before = example
    note(f"{provider.behaviour} {profile.list.query} {profile.pagination}")
    since = microseconds(START - profile.lookback)
    until = microseconds(END)
    began = provider.now
    # The adversary's actions are few, so that the walk comes to an end: an error would be a false alarm.
    try:
        walk, records = walked(profile, provider)
    except ProviderMisbehaved as error:
        if not (profile.pagination.stable and profile.pagination.total and len(provider.touched) > 1):
            raise
        event(f"refused: {error.reason}")
        return
    event(f"{provider.behaviour.style}, {profile.pagination.order}, stable={profile.pagination.stable}")
    handed_out = {record["id"] for record in records}
    for row in before.values():
        if row.hidden or not since <= provider.shown(row) < until or row.id in handed_out:
            continue
        assert row.id in provider.touched, f"{row} was lost"
        now = provider.rows.get(row.id)
        assert now is None or now.at >= until or is_asked_for_again(profile, provider, now, began), f"{now} was lost"
    assert walk.stats.rows == len(records)
    shown = [microseconds(datetime.fromisoformat(record["at"])) for record in records]
    assert all(since <= at < until or at % QUARTER_OF_AN_HOUR == 0 for at in shown), "only a coarse instant is in doubt"
    # A walk by value that finds fewer than were stated is made again: edits may be the cause, or a wrong order.
    repeated = profile.pagination.total and profile.pagination.order != "unspecified" and provider.touched
    if not profile.pagination.stable and not repeated:
        states = [(record["id"], record["at"], record["edits"]) for record in records]
        assert len(set(states)) == len(states), "a record was handed out twice"


def is_asked_for_again(profile: Profile, provider: SimulatedProvider, row: Row, began: int) -> bool:
    """Say whether the next window's lookback finds a row that this walk may miss: see the module's docstring."""
    newest_first = provider.behaviour.sort == "descending" or profile.pagination.stable
    return newest_first and row.at >= began
