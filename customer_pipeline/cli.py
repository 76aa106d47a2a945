"""The command line of `customer-pipeline`: one parser of all commands. A failure is one clear message."""

import argparse
import importlib.metadata
import os
import sys
from collections.abc import Sequence
from datetime import timedelta

from pydantic import TypeAdapter, ValidationError

from customer_pipeline.commands import api, api_key, backfill, bootstrap, erase, reconcile, status
from customer_pipeline.commands.output import MISCONFIGURED, complain, say
from customer_pipeline.commands.ports import port
from customer_pipeline.dev.environment import Ports
from customer_pipeline.dev.home import Home, HomeInUse, HomeUnusable
from customer_pipeline.dev.ports import PortTaken
from customer_pipeline.provider.profile import Duration
from customer_pipeline.sandbox.control import ControlError, clear_faults, list_faults, set_fault
from customer_pipeline.settings import Settings, SettingsError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.command(arguments)
    except SettingsError as error:
        return complain(error, code=MISCONFIGURED)
    except ControlError as error:
        return complain(error)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="customer-pipeline", description="Keeps a Redis cache of customers true to a provider's HTTP API."
    )
    parser.add_argument("--version", action="version", version=importlib.metadata.version("customer-pipeline"))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    dev = commands.add_parser("dev", help="run everything on this machine, in the foreground")
    dev.add_argument("--port", type=port, default=3000, help="of the UI (default: %(default)s)")
    dev.add_argument("--cache-port", type=port, default=6390, help="of the embedded Valkey (default: %(default)s)")
    dev.add_argument("--provider-port", type=port, default=8400, help="of the sandbox (default: %(default)s)")
    dev.add_argument("--api-port", type=port, default=8500, help="of the read API (default: %(default)s)")
    dev.set_defaults(command=_dev)

    check = commands.add_parser("check", help="say whether the environment can be used, and everything that is wrong")
    check.add_argument("--connect", action="store_true", help="ask the cache, the landing store and the provider too")
    check.set_defaults(command=_check)

    status.add_to(commands)
    backfill.add_to(commands)
    bootstrap.add_to(commands)
    erase.add_to(commands)
    reconcile.add_to(commands)
    api.add_to(commands)
    api_key.add_to(commands)

    sandbox = commands.add_parser("sandbox", help="switch faults of the sandbox provider")
    actions = sandbox.add_subparsers(required=True, metavar="ACTION")
    fault = actions.add_parser("fault", help="switch a fault on")
    fault.add_argument("name", metavar="NAME", help="such as down; `sandbox faults` lists those that are on")
    fault.add_argument(
        "--for", dest="lasting", type=_duration, metavar="TIME", help="such as 15m (default: until cleared)"
    )
    fault.set_defaults(command=_fault)
    clear = actions.add_parser("clear", help="switch a fault off, or all of them")
    clear.add_argument("name", nargs="?", metavar="NAME")
    clear.set_defaults(command=_clear)
    faults = actions.add_parser("faults", help="list the faults that are on")
    faults.set_defaults(command=_faults)
    for action in (fault, clear, faults):
        action.add_argument("--url", help="of the sandbox (default: that of the running stack, or its default port)")
    return parser


def _dev(arguments: argparse.Namespace) -> int:
    from customer_pipeline.dev.stack import StackError, run  # noqa: PLC0415 -- slow to import

    ports = Ports(
        ui=arguments.port, cache=arguments.cache_port, provider=arguments.provider_port, api=arguments.api_port
    )
    try:
        run(os.environ, ports=ports, say=say)
    except (HomeInUse, HomeUnusable, PortTaken, StackError, OSError) as error:
        return complain(error)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    settings = Settings.from_environment(os.environ)
    if arguments.connect:
        from customer_pipeline.connectivity import obstacles  # noqa: PLC0415 -- slow to import

        found = list(obstacles(settings))
        if found:
            return complain("\n".join(found))
    say(f"OK: {settings!r}")
    return 0


def _fault(arguments: argparse.Namespace) -> int:
    set_fault(_sandbox_url(arguments), arguments.name, lasting=arguments.lasting)
    return _faults(arguments)


def _clear(arguments: argparse.Namespace) -> int:
    clear_faults(_sandbox_url(arguments), arguments.name)
    return _faults(arguments)


def _faults(arguments: argparse.Namespace) -> int:
    url = _sandbox_url(arguments)
    faults = list_faults(url)
    for fault in faults:
        say(f"{fault['name']}: {fault['description']} (until {fault['until'] or 'cleared'})")
    if not faults:
        say(f"no fault is on at {url}")
    return 0


def _sandbox_url(arguments: argparse.Namespace) -> str:
    """Return the address that was given, that of the stack that runs on this home, or the default."""
    return str(arguments.url or Home.from_environment(os.environ).running().get("provider") or Ports().provider_url)


def _duration(text: str) -> timedelta:
    try:
        return TypeAdapter(Duration).validate_python(text)
    except ValidationError:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; expected one such as 30s, 15m or 1h") from None


if __name__ == "__main__":
    sys.exit(main())
