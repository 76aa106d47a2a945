"""What a check found: the form that its asset reports and the one that a sensor reports."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import dagster as dg

from customer_pipeline.windows import Window

Metadata: TypeAlias = dict[str, str | int | float | dg.MetadataValue]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a check found; `result` is for the asset that reports it, `evaluation` for a sensor.

    Attributes:
        check: the check's name.
        asset: the asset that it belongs to.
        windows: the windows that fail it, where it is about windows.
    """

    check: str
    asset: str
    passed: bool
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR
    description: str | None = None
    metadata: Metadata
    windows: tuple[Window, ...] = ()

    def result(self) -> dg.AssetCheckResult:
        """Return it as the asset's step yields it."""
        return dg.AssetCheckResult(
            asset_key=self.asset,
            check_name=self.check,
            passed=self.passed,
            severity=self.severity,
            description=self.description,
            metadata=self.metadata,
        )

    def evaluation(self) -> dg.AssetCheckEvaluation:
        """Return it as a sensor reports it, outside of any run."""
        return dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(self.asset),
            check_name=self.check,
            passed=self.passed,
            severity=self.severity,
            description=self.description,
            metadata=self.metadata,
        )


class Unfit(Exception):  # noqa: N818 -- says what is the case
    """What was fetched is not fit for publication.

    Attributes:
        reason: why not.
        advice: what to do.
        windows: those that it concerns, oldest first; none where it concerns all.
    """

    windows: tuple[Window, ...] = ()

    def __init__(self, reason: str, *, advice: str) -> None:
        self.reason = reason
        self.advice = advice
        super().__init__(reason)


class ChecksFailed(Unfit):
    """Blocking checks have failed; `windows` are those that failed."""

    def __init__(self, failed: Sequence[Verdict]) -> None:
        self.windows = tuple(sorted({window for verdict in failed for window in verdict.windows}))
        names = ", ".join(verdict.check for verdict in failed)
        super().__init__(
            f"{names} failed in {len(self.windows)} window{'s' * (len(self.windows) != 1)}",
            advice=" ".join(dict.fromkeys(str(verdict.metadata["what_next"]) for verdict in failed)),
        )


def require(verdicts: Iterable[Verdict], *, specs: Iterable[dg.AssetCheckSpec]) -> None:
    """Raise what stops publication, given the specs of the checks.

    Raises:
        ChecksFailed: if a blocking check has failed.
    """
    blocking = {spec.name for spec in specs if spec.blocking}
    if failed := [verdict for verdict in verdicts if not verdict.passed and verdict.check in blocking]:
        raise ChecksFailed(failed)
