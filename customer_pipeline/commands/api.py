"""`customer-pipeline api`: serve the read API in the foreground."""

import argparse
import contextlib
import importlib.util
import logging
import os
import socket

from customer_pipeline.commands.output import complain, say
from customer_pipeline.commands.ports import port
from customer_pipeline.commands.surroundings import environment
from customer_pipeline.dev.ports import HOST

PORT = 8500
_BACKLOG = 2048
INSTALL = "the read API is not installed: pip install 'customer-pipeline[api]'"


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to a parser."""
    parser = commands.add_parser(
        "api",
        help="serve the read API of the cache, in the foreground",
        description="Serves customers over HTTP to those who have a key; `customer-pipeline api-key create` makes one.",
    )
    parser.add_argument("--host", default=HOST, help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=port, default=PORT, help="(default: %(default)s)")
    parser.set_defaults(command=run)


def is_installed() -> bool:
    """Return whether the packages of the extra `api` are there."""
    return all(importlib.util.find_spec(name) for name in ("fastapi", "fastapi_offline", "prometheus_client"))


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal ends it, and return the exit code."""
    if not is_installed():
        return complain(INSTALL)
    from customer_pipeline.api.server import Server  # noqa: PLC0415 -- slow to import, and an extra
    from customer_pipeline.api.settings import ApiSettings  # noqa: PLC0415

    settings = ApiSettings.from_environment(environment(os.environ))
    try:
        listening = listen(arguments.host, arguments.port)
    except OSError as error:
        return complain(
            f"cannot listen on {arguments.host} port {arguments.port}: {error.strerror}; see --host and --port"
        )
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    server = Server(settings)
    host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    say(f"the read API: http://{host}:{arguments.port}/docs; keys in {settings.keys_file}")
    with listening, contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again when everything has ended
        server.run(sockets=[listening])
    return 0 if server.started else 1


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        OSError: if the port is taken, or the host is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)
