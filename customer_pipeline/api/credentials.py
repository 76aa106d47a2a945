"""Keys: how they are made, what of them is kept, and how one is recognized.

A key is `ck_<id>_<secret>`. The secret has 256 bits, so a salted SHA-256 of it is as safe as a slow hash would be.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from customer_pipeline.timestamps import format_instant, parse_instant

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

_ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_TEXT = re.compile(r"ck_([a-z2-7]{8})_([A-Za-z0-9_-]{43})")


class Scope(StrEnum):
    """What a key may do."""

    READ = "read"
    LOOKUP = "lookup"
    CHANGES = "changes"
    METRICS = "metrics"


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """What is kept of a key.

    Attributes:
        id: the part of the key that is no secret.
        name: what people call it.
        scopes: what it may do.
        created_at: when it was made.
        expires_at: from when on it is refused; None for never.
        salt: what the secret is hashed with, hexadecimal.
        hash: the SHA-256 of salt and secret, hexadecimal.
    """

    id: str
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    salt: str
    hash: str

    def is_expired(self, at: datetime) -> bool:
        """Return whether the key is refused at an instant because of its age."""
        return self.expires_at is not None and at >= self.expires_at

    def dump(self) -> dict[str, Any]:
        """Return what the file holds of it."""
        return {
            "id": self.id,
            "name": self.name,
            "scopes": sorted(self.scopes),
            "created_at": format_instant(self.created_at),
            "expires_at": format_instant(self.expires_at) if self.expires_at else None,
            "salt": self.salt,
            "hash": self.hash,
        }

    @classmethod
    def parse(cls, content: Any) -> Self:
        """Return what `dump` has written; raise ValueError, TypeError or KeyError for anything else."""
        expires_at = content["expires_at"]
        return cls(
            id=str(content["id"]),
            name=str(content["name"]),
            scopes=frozenset(Scope(scope) for scope in content["scopes"]),
            created_at=parse_instant(content["created_at"]),
            expires_at=None if expires_at is None else parse_instant(expires_at),
            salt=bytes.fromhex(content["salt"]).hex(),
            hash=bytes.fromhex(content["hash"]).hex(),
        )


def make(name: str, *, scopes: frozenset[Scope], at: datetime, expires_at: datetime | None) -> tuple[Key, str]:
    """Return a new key, and its text, which is kept nowhere."""
    key_id = "".join(secrets.choice(_ID_ALPHABET) for _ in range(8))
    secret, salt = secrets.token_urlsafe(32), secrets.token_bytes(16)
    key = Key(
        id=key_id,
        name=name,
        scopes=scopes,
        created_at=at,
        expires_at=expires_at,
        salt=salt.hex(),
        hash=_hash(salt, secret),
    )
    return key, f"ck_{key_id}_{secret}"


class Keyring:
    """The keys that exist, as the service uses them."""

    def __init__(self, keys: list[Key]) -> None:
        self._keys = {key.id: (key, bytes.fromhex(key.salt)) for key in keys}

    def __bool__(self) -> bool:
        return bool(self._keys)

    def __contains__(self, key: Key) -> bool:
        return self._keys.get(key.id, (None,))[0] == key

    def recognize(self, text: str) -> Key | None:
        """Return the key whose text this is, also when it is expired; None when it is nobody's."""
        match = _TEXT.fullmatch(text)
        if not match:
            return None
        key, salt = self._keys.get(match[1], (None, b""))
        # Hashed and compared for an unknown id too, so that the time tells nothing.
        expected = key.hash if key else "0" * 64
        return key if hmac.compare_digest(_hash(salt, match[2]), expected) else None


def _hash(salt: bytes, secret: str) -> str:
    return hashlib.sha256(salt + secret.encode()).hexdigest()
