"""How the API is served: one process, one event loop, by uvicorn."""

import gc
import socket

import uvicorn

from customer_pipeline.api.app import Api
from customer_pipeline.api.protocol import BoundedProtocol
from customer_pipeline.api.settings import ApiSettings

_KEEP_ALIVE_SECONDS = 30
_GRACE_SECONDS = 5


class Server(uvicorn.Server):
    """Ends the streams of changes before it waits for the requests under way."""

    def __init__(self, settings: ApiSettings) -> None:
        self._application = Api(settings)
        super().__init__(
            uvicorn.Config(
                self._application,
                http=BoundedProtocol,
                ws="none",
                lifespan="on",
                access_log=False,
                log_config=None,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin; what was imported by now stays, and need not be looked at for garbage again and again."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End."""
        self._application.changes.close()
        await super().shutdown(sockets)
