"""The shape of the sandbox's error answers."""

from starlette.responses import JSONResponse


def failure(status: int, code: str, message: str, *, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return an error as the provider words it."""
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers=headers)
