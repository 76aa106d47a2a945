"""Whether a loopback port is free, before anything is started."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"


class PortTaken(Exception):  # noqa: N818 -- says what happened
    """A port cannot be opened; the message has one line for each, with the flag that chooses another."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """A port, what wants it, and the flag that chooses another."""

    port: int
    owner: str
    flag: str


def require_free(wishes: Sequence[Wish]) -> None:
    """Return if every port can be opened.

    Raises:
        PortTaken: naming each port that cannot, what wanted it, and the flag to change it.
    """
    problems = []
    wanted: dict[int, Wish] = {}
    for wish in wishes:
        if (first := wanted.setdefault(wish.port, wish)) is not wish:
            reason: str | None = f"wanted by {first.owner} too"
        else:
            reason = _obstacle(wish.port)
        if reason:
            problems.append(f"port {wish.port} for {wish.owner} is {reason}: choose another one with {wish.flag}")
    if problems:
        raise PortTaken("\n".join(problems))


def accepts(port: int) -> bool:
    """Return whether something listens on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def listens(path: Path) -> bool:
    """Return whether something listens on the Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        return probe.connect_ex(str(path)) == 0


def _obstacle(port: int) -> str | None:
    # macOS lets one address be bound beside a listener on all of them.
    if accepts(port):
        return "taken"
    with socket.socket() as probe:
        # Ports of connections that have just been closed are free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen()
        except PermissionError:
            return "not allowed for this user"
        except OSError:
            return "taken"
    return None
