"""Why a walk of the whole provider does not count as a load, as a type that says what to do. It carries counts only."""


class LoadRefused(Exception):  # noqa: N818 -- says what is the case
    """The provider shows no customer, or far fewer than at the last load: it is more likely to be wrong than right.

    Attributes:
        reason: what was found, in one sentence.
        advice: what to do next, in one sentence.
        transient: trying again at once would find the same.
    """

    transient = False
    advice = (
        "Look whether the provider shows all customers to these credentials; if it has so few indeed: "
        "customer-pipeline bootstrap --accept-fewer."
    )

    def __init__(self, *, found: int, before: int) -> None:
        than = f", and {before} at the last load" if before else ""
        self.reason = f"the provider shows {found} customers{than}: that is not believed, and does not count as a load"
        super().__init__(f"{self.reason}. {self.advice}")
