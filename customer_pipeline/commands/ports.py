"""The number of a port as an argument."""

import argparse

_LARGEST = 65535


def port(text: str) -> int:
    """Return the port that a text names; raise `argparse.ArgumentTypeError` if it names none."""
    if not text.isdecimal() or not 1 <= int(text) <= _LARGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; expected a number from 1 to {_LARGEST}")
    return int(text)
