"""A preview's report as text for a terminal."""

from collections.abc import Sequence

import orjson

from customer_pipeline.preview.report import FieldDifference, Report, WindowPreview, counts_of

MOST_WINDOWS = 20

_COLUMNS = ("fetched", "quarantined", "applied", "unchanged", "stale", "deleted")


def text(report: Report) -> str:
    """Return the totals, the windows where they are few, and the sample."""
    return "\n".join([*_table(report), "", *_sample(report)])


def _table(report: Report) -> list[str]:
    columns = [*_COLUMNS, *(["suppressed"] if report.suppressed else [])]
    rows = [["window", *columns]]
    if 1 < len(report.windows) <= MOST_WINDOWS:
        rows += [[each.window.key, *_row(each, columns)] for each in report.windows]
    first = report.windows[0].window.key if len(report.windows) == 1 else f"{len(report.windows)} windows"
    rows.append([first, *_row(report, columns)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]


def _row(counted: WindowPreview | Report, columns: Sequence[str]) -> list[str]:
    counts = counts_of(counted)
    return [f"{counts[column]:,}" for column in columns]


def _sample(report: Report) -> list[str]:
    said = f"The documents of {report.changed:,} of the {report.customers:,} customers concerned would change"
    if not report.sample:
        return [f"{said}."]
    lines = [f"{said}; {len(report.sample):,} of them:"]
    for customer in report.sample:
        lines.append(f"  {_printable(customer.id)}: {customer.change}")
        lines += [f"    {_field(field, with_values=report.with_values)}" for field in customer.fields]
    return lines


def _field(field: FieldDifference, *, with_values: bool) -> str:
    before, after = (orjson.dumps(each).decode() if with_values else str(each) for each in (field.before, field.after))
    return f"{_printable(field.field)} {field.change}: {before} -> {after}"


def _printable(name: str) -> str:
    """Return a name of the provider's making so that a terminal takes no orders from it."""
    return name if name.isprintable() else ascii(name)
