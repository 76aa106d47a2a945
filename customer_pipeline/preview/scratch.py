"""A cache for one preview: a Valkey on a socket in a temporary folder, gone with the preview however that ends."""


class PreviewUnavailable(Exception):  # noqa: N818 -- says what is the case
    """A preview cannot be made on this machine; the message says why."""
