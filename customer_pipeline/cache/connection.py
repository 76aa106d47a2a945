"""From a URL to a connected client, standalone or cluster, with bounded waits."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.connection import parse_url
from redis.exceptions import NoPermissionError
from redis.retry import Retry

from customer_pipeline.cache.errors import CLIENT_ERRORS, CacheError, CacheRejected, explain

Connection = redis.Redis | redis.RedisCluster

_SCHEMES = ("redis", "rediss", "unix", "redis+cluster", "rediss+cluster")
_EXPECTED = (
    "Write redis://[user:password@]host:port/0, rediss:// for TLS, unix:///path/to/socket, or redis+cluster:// or "
    "rediss+cluster:// with any node of a cluster; percent-encode special characters of user and password."
)


def connect(
    url: str,
    *,
    connect_timeout: timedelta = timedelta(seconds=5),
    answer_timeout: timedelta = timedelta(seconds=20),
    health_check_interval: timedelta = timedelta(seconds=30),
) -> Connection:
    """Connect to the cache and ask it whether it is a cluster.

    Options of redis-py in the URL's query are honoured and win over the arguments, such as
    `rediss://cache.example:6380/0?ssl_ca_certs=/etc/ssl/ca.pem&ssl_certfile=...&ssl_keyfile=...`. A request whose
    reply is lost is sent once more after a short wait; everything that is sent is idempotent.

    Raises:
        CacheError: if the URL is malformed; the message never repeats the URL.
        CacheRejected: if the server refuses the credentials, or is no cluster where the URL says so.
        CacheUnavailable: if the server cannot be reached.
    """
    plain_url, is_cluster_url = _checked(url)
    options: dict[str, Any] = {
        "socket_connect_timeout": connect_timeout.total_seconds(),
        "socket_timeout": answer_timeout.total_seconds(),
        "protocol": 2,
    }
    if not plain_url.startswith("unix"):
        options["socket_keepalive"] = True
    retry = Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), retries=1)
    try:
        client = redis.Redis.from_url(
            plain_url, retry=retry, health_check_interval=int(health_check_interval.total_seconds()), **options
        )
        is_cluster = _is_cluster(client, unless_told=is_cluster_url)
        if not is_cluster and not is_cluster_url:
            return client
        client.close()
        if not is_cluster:
            raise CacheRejected("the server is no cluster", advice="Use redis:// or rediss:// in REDIS_URL.")
        return redis.RedisCluster.from_url(plain_url, retry=retry, **options)
    except TypeError:
        raise _malformed("an option in its query is unknown") from None
    except CLIENT_ERRORS as error:
        raise explain(error) from None


def _checked(url: str) -> tuple[str, bool]:
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in _SCHEMES:
        raise _malformed("its scheme is unknown")
    plain_url = f"{scheme.removesuffix('+cluster')}://{rest}"
    is_cluster = scheme.endswith("+cluster")
    try:
        parts = urlsplit(plain_url)
        options = parse_url(plain_url)
    except ValueError:
        raise _malformed("it cannot be parsed") from None
    if parts.scheme == "unix":
        if not parts.path:
            raise _malformed("it names no socket")
        return plain_url, is_cluster
    if not parts.hostname:
        raise _malformed("it names no host")
    database = parts.path.strip("/")
    if database and not database.isdecimal():
        raise _malformed("its path is no database number")
    if is_cluster and options.get("db"):
        raise _malformed("a cluster has only database 0")
    if "decode_responses" in options:
        raise _malformed("decode_responses is not its to say: documents are bytes")
    return plain_url, is_cluster


def _malformed(reason: str) -> CacheError:
    return CacheError(f"REDIS_URL is malformed: {reason}", advice=_EXPECTED)


def _is_cluster(client: redis.Redis, *, unless_told: bool) -> bool:
    """Ask the server; a user who may not ask is believed to have written the right scheme."""
    try:
        return bool(client.info("cluster").get("cluster_enabled"))
    except NoPermissionError:
        return unless_told
