"""Whom a walk saw."""

from collections.abc import Sequence

from customer_pipeline.snapshot.hashing import HashedTexts

_WITNESSES = 3


class CustomersSeen(HashedTexts):
    """A set of ids, of which some are remembered as they are.

    A customer in the cache whose id collides with one of the set is kept until the next time; nobody is taken out by a
    collision.
    """

    def __init__(self) -> None:
        super().__init__()
        self._witnesses: list[str] = []

    def testify(self, ids: Sequence[str]) -> None:
        """Remember some customers that the walk saw alive."""
        self._witnesses = [*ids[-_WITNESSES:], *self._witnesses][:_WITNESSES]

    @property
    def witnesses(self) -> tuple[str, ...]:
        """Some customers that the walk saw alive, those first that it saw last."""
        return tuple(self._witnesses)
