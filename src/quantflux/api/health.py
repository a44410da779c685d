"""Whether the server lives, is ready, and how its parts are."""

from __future__ import annotations

from fastapi import Response

from quantflux.api.access import public
from quantflux.api.routing import Router

router = Router(prefix="/health", tags=["health"])

_OK = b'{"status":"ok"}'


@router.get("/live", dependencies=[public()])
async def live() -> Response:
    """Answer as long as the process can answer at all."""
    return Response(_OK, media_type="application/json")
