"""A preview's report as text for a terminal."""

from customer_pipeline.cache.publisher import Outcomes
from customer_pipeline.preview.report import CustomerDifference, FieldDifference, Report

MOST_WINDOWS = 20

_COLUMNS = ("fetched", "quarantined", "applied", "unchanged", "stale", "deleted")


def text(report: Report) -> str:
    """Return the totals, the windows where they are few, and the sample."""
    return "\n".join([*_table(report), "", *_sample(report)])


def _table(report: Report) -> list[str]:
    rows = [["window", *_COLUMNS]]
    if 1 < len(report.windows) <= MOST_WINDOWS:
        rows += [[each.window.key, *_row(each.fetched, each.quarantined, each.outcomes)] for each in report.windows]
    first = report.windows[0].window.key if len(report.windows) == 1 else f"{len(report.windows)} windows"
    rows.append([first, *_row(report.fetched, report.quarantined, report.outcomes)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]


def _row(fetched: int, quarantined: int, outcomes: Outcomes) -> list[str]:
    counts = (fetched, quarantined, outcomes.applied, outcomes.unchanged, outcomes.stale, outcomes.deleted)
    return [f"{count:,}" for count in counts]


def _sample(report: Report) -> list[str]:
    of_all = f"{report.changed:,} of the {report.customers:,} customers concerned"
    if not report.sample:
        return [f"The documents of {of_all} would change."]
    lines = [f"The documents of {of_all} would change; {len(report.sample)} of them:"]
    for customer in report.sample:
        lines += _customer(customer)
    return lines


def _customer(customer: CustomerDifference) -> list[str]:
    return [f"  {customer.id}: {customer.change}", *(f"    {_field(field)}" for field in customer.fields)]


def _field(field: FieldDifference) -> str:
    return f"{field.field} {field.change}: {field.before} -> {field.after}"
