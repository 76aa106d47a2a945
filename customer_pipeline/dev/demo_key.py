"""A key of the read API for a first look: made anew at each start, since a key is shown once."""

from collections.abc import Mapping

from customer_pipeline.api import key_file
from customer_pipeline.api.credentials import Scope, make
from customer_pipeline.api.settings import keys_file
from customer_pipeline.timestamps import now

NAME = "demo"


def demo_key(environ: Mapping[str, str]) -> str:
    """Make a key that may do everything, in the place of the one of the start before, and return its text.

    Raises:
        KeyFileError: if the file of the keys cannot be read or written.
    """
    key, text = make(NAME, scopes=frozenset(Scope), at=now(), expires_at=None)
    with key_file.changed(keys_file(environ)) as keys:
        keys[:] = [*(each for each in keys if each.name != NAME), key]
    return text
