"""What can go wrong at the cache, as types that say what to do. They carry no value or key of a customer, no password.

A reply's own text is never repeated: Redis quotes arguments in some of them. Its code is.
"""

import redis
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    ClusterError,
    RedisClusterException,
    RedisError,
    ResponseError,
)

CLIENT_ERRORS = (RedisError, RedisClusterException)


class CacheError(Exception):
    """Base of the failures of the cache.

    Attributes:
        reason: what happened, in one sentence.
        advice: what to do next, in one sentence.
        transient: whether trying again later can succeed without a change of this pipeline's configuration.
    """

    transient = False

    def __init__(self, reason: str, *, advice: str) -> None:
        self.reason = reason
        self.advice = advice
        super().__init__(f"{reason}. {advice}")


class CacheUnavailable(CacheError):  # noqa: N818 -- the word of the design for this kind of failure
    """The cache cannot take a write at present: down, loading, full, busy, failing over."""

    transient = True


class CacheRejected(CacheError):  # noqa: N818 -- the word of the design for this kind of failure
    """The cache refuses: bad credentials, missing permission, a key of another type. Trying again is useless."""


RIGHTS = (
    "~PREFIX:* ~PREFIXs:* +@read +@write +@scripting +@connection +info, in a cluster +cluster|slots too, with limits "
    "in the profile +time"
)
_LATER = "It heals by itself when a later tick succeeds; readers keep what is there."
_UNAVAILABLE = {
    "OOM": (
        "the cache has no memory left",
        "Raise maxmemory, with the policy noeviction: the cache is a mirror and holds every customer. The rest heals.",
    ),
    "READONLY": (
        "the server is a read-only replica",
        "If this lasts longer than a failover, point REDIS_URL to the primary.",
    ),
    "MISCONF": ("the server cannot save to its disk", "Free its disk or correct its persistence settings."),
    "NOREPLICAS": ("the server has too few replicas to accept writes", "Start its replicas."),
    "LOADING": ("the server is loading its data", _LATER),
    "BUSY": ("the server is busy with a script", "If this lasts, find the script's owner and use SCRIPT KILL."),
    "CLUSTERDOWN": ("the cluster is down", "Look at CLUSTER INFO: slots without a node, or a lost majority."),
    "MASTERDOWN": ("the replica has lost its primary", _LATER),
    "TRYAGAIN": ("the cluster is moving a slot", _LATER),
    "UNKILLABLE": ("the server is busy with a script that has written", _LATER),
    "KILLED": ("the script was killed", _LATER),
}
_REJECTED = {
    "NOAUTH": ("the cache asks for a password", "Write it into REDIS_URL: redis://user:password@host:port/0."),
    "WRONGPASS": (
        "the cache refuses the user or the password",
        "Correct them in REDIS_URL; percent-encode special characters.",
    ),
    "NOPERM": ("the cache user lacks a permission", "Grant it {rights}."),
    "WRONGTYPE": (
        "a key of the cache holds a value of another type",
        "Something else writes under this prefix: remove its keys, or set another prefix.",
    ),
    "MOVED": ("the server is part of a cluster", "Use redis+cluster:// or rediss+cluster:// in REDIS_URL."),
    "CROSSSLOT": (
        "the keys of a batch lie in several slots",
        "Use redis+cluster:// or rediss+cluster:// in REDIS_URL; an id that begins with } fits into no cluster.",
    ),
    "CERTIFICATE": (
        "the server's certificate is not trusted",
        "Name its authority in REDIS_URL: ?ssl_ca_certs=/path/to/ca.pem, and use the host name in the certificate.",
    ),
}
_BY_TYPE: dict[type[Exception], str] = {
    BusyLoadingError: "LOADING",
    AuthenticationError: "WRONGPASS",
    AuthorizationError: "NOPERM",
    ClusterDownError: "CLUSTERDOWN",
    ClusterError: "TRYAGAIN",  # redirected too often
}
_BY_PHRASE = {
    "CERTIFICATE_VERIFY_FAILED": "CERTIFICATE",
    "killed by user": "KILLED",
    "ACL failure in script": "NOPERM",
    "Cluster mode is not enabled": "NOPERM",  # said by the client, also when it may not ask
}


def wrong_type(pattern: str) -> CacheRejected:
    """Return the error for a key of the form `pattern` that holds a value of another type."""
    return CacheRejected(f"a key of the form {pattern} holds a value of another type", advice=_REJECTED["WRONGTYPE"][1])


def not_utf8(place: str) -> CacheRejected:
    """Return the error for an id that is not UTF-8, as no customer's is; `place` names where it stands."""
    return CacheRejected(
        f"{place} holds an id that is not UTF-8",
        advice="Something else writes under this prefix: stop it and remove that, or set another prefix.",
    )


def told(error: Exception) -> str:
    """Return what may be logged of an error: the text of this module's own, of any other only the kind."""
    return str(error) if isinstance(error, CacheError) else type(error).__name__


def explain(error: Exception, *, rights: str = RIGHTS) -> CacheError:
    """Return the typed error for what redis-py raised or put in a reply's place; `rights` are what the user needs."""
    code = _code(error)
    if code in _UNAVAILABLE:
        reason, advice = _UNAVAILABLE[code]
        return CacheUnavailable(f"{reason} ({code})", advice=advice)
    if code in _REJECTED:
        reason, advice = _REJECTED[code]
        return CacheRejected(f"{reason} ({code})", advice=advice.replace("{rights}", rights))
    if isinstance(error, redis.TimeoutError):
        return CacheUnavailable("the cache did not answer in time", advice=_LATER)
    if isinstance(error, redis.ConnectionError):
        return CacheUnavailable(f"the cache cannot be reached: {str(error).rstrip('.')}", advice=_LATER)
    if isinstance(error, RedisClusterException):
        return CacheUnavailable(f"the cluster did not answer as a whole ({type(error).__name__})", advice=_LATER)
    return CacheRejected(
        f"the cache answered with an error ({code or type(error).__name__})",
        advice="The pipeline needs a server that speaks Redis 6.2 or newer, or Valkey, with scripts; see its log.",
    )


def _code(error: Exception) -> str:
    """Return the code of the reply that stands behind `error`; empty where there was none."""
    said: str | None = getattr(error, "status_code", None)
    for kind, code in _BY_TYPE.items():
        if isinstance(error, kind):
            return said or code
    text = str(error)
    for phrase, code in _BY_PHRASE.items():
        if phrase in text:
            return code
    return said or (text.partition(" ")[0] if isinstance(error, ResponseError) else "")
