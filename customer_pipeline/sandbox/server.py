"""How the sandbox is served: uvicorn, without its own `Date` header, which the clock fault has to move."""

import uvicorn
from starlette.types import ASGIApp


def build_server(application: ASGIApp, *, port: int, host: str = "127.0.0.1") -> uvicorn.Server:
    """Return a server; `run()` blocks until a signal or `should_exit`."""
    config = uvicorn.Config(
        application,
        host=host,
        port=port,
        date_header=False,
        server_header=False,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)
