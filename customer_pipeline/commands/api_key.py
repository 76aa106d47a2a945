"""`customer-pipeline api-key`: make, list and revoke the keys of those who may read."""

import argparse
import os
from datetime import timedelta

from pydantic import TypeAdapter, ValidationError

from customer_pipeline.api import key_file
from customer_pipeline.api.credentials import NAME, Key, Scope, make
from customer_pipeline.api.key_file import KeyFileError
from customer_pipeline.api.settings import keys_file
from customer_pipeline.commands.output import MISCONFIGURED, complain, say
from customer_pipeline.provider.profile import Duration
from customer_pipeline.timestamps import format_instant, now

LONGEST = timedelta(days=36_500)


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to a parser."""
    parser = commands.add_parser("api-key", help="make, list and revoke the keys of the read API")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    create = actions.add_parser("create", help="make a key and print it, once")
    create.add_argument("name", metavar="NAME", type=_name, help="who will use it")
    create.add_argument(
        "--scope",
        dest="scopes",
        action="append",
        type=Scope,
        choices=list(Scope),
        help="what it may do; repeatable (default: read)",
    )
    create.add_argument(
        "--expires", type=_lasting, metavar="TIME", help="when it ends, such as 90d (default: when it is revoked)"
    )
    create.set_defaults(command=_create)
    actions.add_parser("list", help="list the keys that exist").set_defaults(command=_list)
    revoke = actions.add_parser("revoke", help="let a key in no more, a second from now")
    revoke.add_argument("key", metavar="NAME|ID", help="all keys of a name, or the one of an id")
    revoke.set_defaults(command=_revoke)


def _create(arguments: argparse.Namespace) -> int:
    at = now()
    scopes = frozenset(arguments.scopes or [Scope.READ])
    expires_at = at + arguments.expires if arguments.expires else None
    key, text = make(arguments.name, scopes=scopes, at=at, expires_at=expires_at)
    try:
        with key_file.changed(keys_file(os.environ)) as keys:
            keys.append(key)
    except KeyFileError as error:
        return complain(error)
    say(text)
    return complain(f"keep it now, it is shown once: {_described(key)}", code=0)


def _list(_: argparse.Namespace) -> int:
    try:
        keys = key_file.read(keys_file(os.environ))
    except KeyFileError as error:
        return complain(error)
    for key in keys:
        say(_described(key))
    return 0


def _revoke(arguments: argparse.Namespace) -> int:
    try:
        with key_file.changed(keys_file(os.environ)) as keys:
            gone = [key for key in keys if arguments.key in {key.id, key.name}]
            keys[:] = [key for key in keys if key not in gone]
    except KeyFileError as error:
        return complain(error)
    if not gone:
        return complain(f"there is no key {arguments.key!r}; `customer-pipeline api-key list`", code=MISCONFIGURED)
    for key in gone:
        say(f"revoked: {_described(key)}")
    return 0


def _described(key: Key) -> str:
    if key.expires_at is None:
        end = "does not expire"
    else:
        end = f"{'expired' if key.is_expired(now()) else 'expires'} {format_instant(key.expires_at)}"
    return f"{key.id} {key.name} ({', '.join(sorted(key.scopes))}), made {format_instant(key.created_at)}, {end}"


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name; expected letters, digits and any of . _ -, at most 64")
    return text


def _lasting(text: str) -> timedelta:
    try:
        found = TypeAdapter(Duration).validate_python(text)
    except (ValidationError, OverflowError):
        found = timedelta(0)
    if not timedelta(0) < found <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; expected one such as 12h or 90d")
    return found
