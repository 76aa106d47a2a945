"""What can be switched on and off again around a running stack. Each is a context: on inside, off afterwards."""

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from customer_pipeline_tests.drills.stack import Stack
from customer_pipeline_tests.servers import free_port, wait_until

Fault = Callable[[Stack], AbstractContextManager[None]]


def provider_fault(name: str, **options: str) -> Fault:
    """Let every answer of the provider be a bad one."""

    @contextmanager
    def fault(stack: Stack) -> Iterator[None]:
        stack.provider.fault(name, **options)
        try:
            yield
        finally:
            if stack.provider.running:
                stack.provider.control("DELETE", f"faults/{name}")

    return fault


@contextmanager
def provider_stopped(stack: Stack) -> Iterator[None]:
    """Nobody listens: connections are refused."""
    stack.provider.stop()
    try:
        yield
    finally:
        stack.provider.start()


@contextmanager
def daemon_killed(stack: Stack) -> Iterator[None]:
    stack.daemon.kill_group()
    try:
        yield
    finally:
        stack.daemon.start()


@contextmanager
def code_server_killed(stack: Stack) -> Iterator[None]:
    """The code server and the workers it started die at once, as a container does."""
    stack.code_server.kill_group()
    try:
        yield
    finally:
        stack.restart_code_server()


@contextmanager
def cache_killed(stack: Stack) -> Iterator[None]:
    """The cache dies and comes back with its data."""
    stack.cache.kill_group()
    try:
        yield
    finally:
        stack.cache.start()


@contextmanager
def cache_lost(stack: Stack) -> Iterator[None]:
    """The cache dies and comes back empty."""
    stack.cache.kill_group()
    stack.empty_cache()
    try:
        yield
    finally:
        stack.cache.start()


@contextmanager
def cache_frozen(stack: Stack) -> Iterator[None]:
    """The cache accepts connections and answers nothing."""
    stack.cache.freeze()
    try:
        yield
    finally:
        stack.cache.thaw()


@contextmanager
def cache_full(stack: Stack) -> Iterator[None]:
    """The cache refuses writes for want of memory: OOM."""
    with stack.redis() as client:
        client.config_set("maxmemory", "1kb")
        try:
            yield
        finally:
            client.config_set("maxmemory", "0")


@contextmanager
def cache_read_only(stack: Stack) -> Iterator[None]:
    """The cache is a replica, whose primary is gone: READONLY."""
    with stack.redis() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
        try:
            yield
        finally:
            client.execute_command("REPLICAOF", "NO", "ONE")


@contextmanager
def cache_loading(stack: Stack) -> Iterator[None]:
    """The cache restarts and loads for as long as the drill wants: LOADING."""
    with stack.redis() as client:
        client.mset({f"filler:{number}": os.urandom(2048) for number in range(2000)})
        client.bgrewriteaof()
        wait_until(lambda: not client.info("persistence")["aof_rewrite_in_progress"], what="the rewrite")
    stack.cache.stop()
    command = list(stack.cache.command)
    # a tenth of a second for every key
    stack.cache.command += ["--key-load-delay", "100000", "--loading-process-events-interval-bytes", "1024"]
    stack.cache.launch()
    try:
        _wait_for_code(stack, "LOADING")
        yield
    finally:
        stack.cache.kill_group()
        stack.cache.command = command
        stack.cache.start()
        with stack.redis() as client:
            client.delete(*client.keys("filler:*"))


@contextmanager
def cluster_down(stack: Stack) -> Iterator[None]:
    """In the cache's place there is a cluster without slots: CLUSTERDOWN."""
    stack.cache.stop()
    impostor = stack.valkey("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    try:
        impostor.start()
        yield
    finally:
        impostor.kill_group()
        stack.cache.start()


@contextmanager
def replies_lost(stack: Stack) -> Iterator[None]:
    """Connections are cut after a script was carried out and before its reply."""
    stack.proxy.lose("reply", times=10_000)
    try:
        yield
    finally:
        stack.proxy.heal()


@contextmanager
def disk_full(stack: Stack) -> Iterator[None]:
    """The landing store's file system has no byte left."""
    filler = stack.home.landing / "filler"
    block = bytes(1 << 20)
    try:
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(block)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
        yield
    finally:
        filler.unlink(missing_ok=True)


def _wait_for_code(stack: Stack, code: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with redis.Redis(port=stack.cache_port, retry=Retry(NoBackoff(), 0)) as client:
                client.get("any")
        except redis.BusyLoadingError:
            return
        except redis.RedisError:
            pass
        time.sleep(0.02)
    raise TimeoutError(f"the cache did not say {code}")


PROVIDER: dict[str, Fault] = {
    "refused": provider_stopped,
    "cut": provider_fault("down"),
    "hanging": provider_fault("hang"),
    "503": provider_fault("error_503"),
    "503_retry_after": provider_fault("error_503_retry_after", seconds="20"),
    "429": provider_fault("throttle"),
    "429_retry_after": provider_fault("throttle_retry_after", seconds="20", form="date"),
    "html_200": provider_fault("html"),
    "truncated": provider_fault("truncated", kind="length"),
    "truncated_json": provider_fault("truncated", kind="json"),
}
CACHE: dict[str, Fault] = {
    "cache_killed": cache_killed,
    "cache_lost": cache_lost,
    "cache_frozen": cache_frozen,
    "oom": cache_full,
    "readonly": cache_read_only,
    "loading": cache_loading,
    "clusterdown": cluster_down,
    "replies_lost": replies_lost,
}
PROCESSES: dict[str, Fault] = {"daemon_killed": daemon_killed, "code_server_killed": code_server_killed}
DISK: dict[str, Fault] = {"disk_full": disk_full}


@contextmanager
def all_off(stack: Stack) -> Iterator[None]:
    """Bring back whatever a drill left broken, so that the stack ends in good order."""
    try:
        yield
    finally:
        with contextlib.suppress(Exception):
            stack.provider.clear()
