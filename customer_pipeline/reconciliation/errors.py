"""Why a reconciliation takes nobody out of the cache, as types that say what to do. They carry counts, never ids."""


class ReconciliationRefused(Exception):  # noqa: N818 -- says what is the case
    """The provider's answers are not believed: nobody was taken out of the cache.

    Attributes:
        reason: what was found, in one sentence.
        advice: what to do next, in one sentence.
        transient: trying again at once would find the same.
    """

    transient = False
    advice = ""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{reason}. {self.advice}")


class TooManyExtras(ReconciliationRefused):
    """The provider shows so few of the customers in the cache that it is more likely to be wrong than right."""

    advice = (
        "Look whether the provider shows all customers to these credentials; if they were deleted indeed, reconcile "
        "with a greater share: customer-pipeline reconcile --max-deleted-share."
    )

    def __init__(self, *, extra: int, cached: int, allowed: int, seen: int) -> None:
        self.extra = extra
        self.cached = cached
        self.allowed = allowed
        super().__init__(
            f"{extra} of {cached} customers in the cache are not at the provider, whose walk found {seen}; at most "
            f"{allowed} are believed to be deleted, so none was"
        )


class LookupNotTrusted(ReconciliationRefused):
    """The provider's lookup does not find customers that its list has just shown."""

    advice = "Compare `lookup` in the profile with the provider's documentation: its path, record and absent."

    def __init__(self, *, witnesses: int) -> None:
        super().__init__(
            f"the lookup found none of {witnesses} customers that the provider's list had just shown, so what it calls "
            "absent is not believed and nobody was deleted"
        )
