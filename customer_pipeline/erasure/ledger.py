"""The ledger of erasures, in the landing store, since the cache may be lost: who was erased, as salted hashes.

It is the audit too: each event is a file of its own, whose name no other writer chooses, and which is never changed or
removed. So writers need no lock, on S3 neither, and none loses what another wrote. A hash names the salt that it was
made with: of two processes that make the first salt at once both are right, and later ones agree on the smaller.
"""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b

from customer_pipeline.landing.errors import LandingError
from customer_pipeline.landing.notes import Notes
from customer_pipeline.timestamps import format_instant, now, parse_instant

FOLDER = "suppressions"
HASH = re.compile(r"[0-9a-f]{8}-[0-9a-f]{32}")

_SALT = re.compile(rf"{FOLDER}/salts/([0-9a-f]{{8}})\.json")
_ENTRY = re.compile(rf"{FOLDER}/entries/({HASH.pattern})/([0-9]{{6}})-([a-z]+)-[0-9a-f]{{16}}\.json")


class State(StrEnum):
    """What the last event says of a customer."""

    ERASING = "erasing"
    ERASED = "erased"
    LIFTED = "lifted"

    @property
    def holds(self) -> bool:
        """Whether the customer is suppressed."""
        return self is not State.LIFTED


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One line of the audit.

    Attributes:
        hash: of the customer's id.
        number: from 1; two that were written at once may share one, and the one that holds then counts.
        state: what became of the customer.
        at: when.
        by: who asked for it.
    """

    hash: str
    number: int
    state: State
    at: datetime
    by: str


def digest(salt: bytes, customer_id: str) -> bytes:
    """Return the second part of a hash."""
    return blake2b(customer_id.encode(), key=salt, digest_size=16).digest()


class Ledger:
    """Reads the ledger and adds to it; every method raises LandingError if the landing store cannot be used."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def states(self) -> dict[str, State]:
        """Return the state of each hash; one listing, no file is read."""
        newest: dict[str, tuple[int, bool, State]] = {}
        for entry in self._entries():
            hash_, number, state = entry[1], int(entry[2]), State(entry[3])
            newest[hash_] = max(newest.get(hash_, (0, False, state)), (number, state.holds, state))
        return {hash_: state for hash_, (_, _, state) in newest.items()}

    def events(self, hash_: str) -> list[Event]:
        """Return what was written of a hash, oldest first."""
        found = []
        for entry in self._entries():
            if entry[1] == hash_:
                content = json.loads(self._notes.read(entry[0]))
                at, by = parse_instant(content["at"]), content["by"]
                found.append(Event(hash=hash_, number=int(entry[2]), state=State(entry[3]), at=at, by=by))
        return sorted(found, key=lambda event: (event.number, event.state.holds, event.at))

    def salts(self) -> dict[str, bytes]:
        """Return the salts by their names."""
        names = [found for name in self._notes.names(f"{FOLDER}/salts") if (found := _SALT.fullmatch(name))]
        return {found[1]: bytes.fromhex(json.loads(self._notes.read(found[0]))["salt"]) for found in names}

    def salt_of(self, hash_: str, *, among: Mapping[str, bytes] | None = None) -> bytes:
        """Return the salt that a hash was made with.

        Raises:
            LandingError: if it is missing; nothing may then be published, since nobody knows who was erased.
        """
        name = hash_.partition("-")[0]
        salt = (self.salts() if among is None else among).get(name)
        if salt is None:
            uri = self._notes.uri_of(f"{FOLDER}/salts/{name}.json")
            raise LandingError(f"{uri}: the salt of erased customers is missing; restore the file from a backup")
        return salt

    def hashes(self, customer_id: str) -> list[str]:
        """Return the hashes of an id, one for each salt, that of the salt in use first."""
        return [f"{name}-{digest(salt, customer_id).hex()}" for name, salt in sorted(self.salts().items())]

    def enter(self, customer_id: str, *, by: str) -> str:
        """Suppress a customer from now on, and return the hash; again, if the erasure was entered before."""
        if not self.salts():
            salt = secrets.token_bytes(32)
            name = blake2b(salt, digest_size=4).hexdigest()
            self._notes.write(f"{FOLDER}/salts/{name}.json", json.dumps({"salt": salt.hex()}).encode())
        known, hashes = self.states(), self.hashes(customer_id)
        hash_ = next((one for one in hashes if one in known), hashes[0])
        self.add(hash_, State.ERASING, by=by)
        return hash_

    def lift(self, customer_id: str, *, by: str) -> list[str]:
        """Let a customer be published again; return the hashes that held, none where nobody was suppressed."""
        known = self.states()
        held = [hash_ for hash_ in self.hashes(customer_id) if hash_ in known and known[hash_].holds]
        for hash_ in held:
            self.add(hash_, State.LIFTED, by=by)
        return held

    def add(self, hash_: str, state: State, *, by: str) -> None:
        """Write an event after all that are known."""
        number = 1 + max((int(entry[2]) for entry in self._entries() if entry[1] == hash_), default=0)
        name = f"{FOLDER}/entries/{hash_}/{number:06d}-{state}-{secrets.token_hex(8)}.json"
        content = {"hash": hash_, "state": state, "at": format_instant(now()), "by": by}
        self._notes.write(name, json.dumps(content).encode())

    def _entries(self) -> list[re.Match[str]]:
        names = self._notes.names(f"{FOLDER}/entries")
        return [found for name in names if (found := _ENTRY.fullmatch(name)) and found[3] in set(State)]
