"""From errors to Dagster failures: what happened, where, and what to do, before any traceback."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import dagster as dg

from customer_pipeline.cache.errors import CacheError
from customer_pipeline.landing.errors import LandingError
from customer_pipeline.provider.errors import ProviderError
from customer_pipeline.provider.profile import ProfileError
from customer_pipeline.steps import PublicationIncomplete
from customer_pipeline.windows import Window

# Retries inside a run cover seconds; they are for transient failures only (`allow_retries` below).
transient_retries = dg.RetryPolicy(max_retries=2, delay=10, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.FULL)

Facts: TypeAlias = dict[str, str | int | float]

_PACKAGE = Path(__file__).parents[1]


@contextmanager
def explained(context: dg.AssetExecutionContext, *windows: Window) -> Iterator[None]:  # noqa: ARG001 -- names the run
    """Turn errors into a `Failure` that says which of `windows` it met; permanent ones are not retried.

    The run gets the tags by which others tell what failed (`run_tags`), once no retry of the step follows.

    Causes are left out: what matters of them is in the description, and their messages may quote an URL or a
    customer's value. Of an error that nobody foresaw only its type and place are told.
    """
    try:
        yield
    except dg.Failure:
        raise
    except ProviderError as error:
        # A provider that said how long to wait is not asked again before that.
        raise _failure(error, windows, _of_provider(error), transient=error.transient and error.wait is None) from None
    except CacheError as error:
        facts: Facts = {"reason": error.reason, "what_next": error.advice}
        raise _failure(error, windows, facts, transient=error.transient) from None
    except (LandingError, PublicationIncomplete) as error:
        reason, _, advice = str(error).partition("; ")
        raise _failure(error, windows, {"reason": reason, "what_next": advice}, transient=error.transient) from None
    except ProfileError as error:
        facts = {
            "reason": str(error),
            "what_next": "Correct the profile or its variables, materialize the window again.",
        }
        raise _failure(error, windows, facts, transient=False) from None
    except Exception as error:  # noqa: BLE001 -- whatever it is, its message may hold a customer's value
        raise _failure(error, windows, _unforeseen(error), transient=False) from None


def _failure(error: Exception, windows: tuple[Window, ...], facts: Facts, *, transient: bool) -> dg.Failure:
    where = "...".join(dict.fromkeys([windows[0].key, windows[-1].key])) if windows else "no window yet"
    told = facts["reason"] if "place" in facts else error
    return dg.Failure(
        description=f"window {where}: {type(error).__name__}: {told}",
        metadata={
            "error": type(error).__name__,
            "window": where,
            "retries": "transient: retried within the run" if transient else "not retried within the run",
            **facts,
        },
        allow_retries=transient,
    )


def _of_provider(error: ProviderError) -> Facts:
    facts: Facts = {
        "reason": error.reason,
        "what_next": error.advice,
        "request": f"{error.request.method} {error.request.url}",
        "status": "no response" if error.request.status is None else error.request.status,
        "attempts": error.request.attempts,
        "elapsed_seconds": error.request.elapsed.total_seconds(),
    }
    if error.request.request_id:
        facts["provider_request_id"] = error.request.request_id
    if error.wait is not None:
        facts["wait_seconds"] = error.wait.total_seconds()
    return facts


def _unforeseen(error: Exception) -> Facts:
    frames = traceback.extract_tb(error.__traceback__)
    places = [
        f"{Path(frame.filename).relative_to(_PACKAGE)}:{frame.lineno}"
        for frame in frames
        if Path(frame.filename).is_relative_to(_PACKAGE)
    ]
    return {
        "reason": f"an error that was not foreseen, at {places[-1]}",
        "what_next": "Report it with its type and place; materialize the window again once it is mended.",
        "place": " > ".join(places),
    }
