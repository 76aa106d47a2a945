"""What can go wrong in the landing store, as types that say what to do. They name files, never values."""


class LandingError(Exception):
    """The landing store cannot be read or written.

    Attributes:
        transient: whether trying again later can succeed without a person changing anything.
    """

    def __init__(self, message: str, *, transient: bool = False) -> None:
        self.transient = transient
        super().__init__(message)


class NotLanded(LandingError):  # noqa: N818 -- says what is the case
    """A window was never landed."""
