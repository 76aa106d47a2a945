"""`python -m customer_pipeline.sandbox`: serve the sandbox on the loopback interface."""

import argparse
import os
from collections.abc import Sequence

from customer_pipeline import timestamps
from customer_pipeline.sandbox.app import DEFAULT_TOKEN, create_app
from customer_pipeline.sandbox.server import build_server
from customer_pipeline.sandbox.world import Settings


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until interrupted; the token is that of SANDBOX_TOKEN, where it is set."""
    parser = argparse.ArgumentParser(prog="python -m customer_pipeline.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8400)
    parser.add_argument("--state", default=":memory:", metavar="FILE", help="SQLite file to keep and continue from")
    parser.add_argument("--customers", type=int, default=5000, help="how many there are at first")
    parser.add_argument("--seed", type=int, default=1, help="the same seed invents the same customers and changes")
    parser.add_argument("--changes-per-minute", type=float, default=30.0)
    parser.add_argument(
        "--start", type=timestamps.parse_rfc3339, metavar="ISO", help="when the first customers were new"
    )
    chosen = parser.parse_args(arguments)
    settings = Settings(
        customers=chosen.customers,
        seed=chosen.seed,
        changes_per_minute=chosen.changes_per_minute,
        start=chosen.start,
    )
    application = create_app(settings, state=chosen.state, token=os.environ.get("SANDBOX_TOKEN") or DEFAULT_TOKEN)
    build_server(application, port=chosen.port).run()


if __name__ == "__main__":
    main()
