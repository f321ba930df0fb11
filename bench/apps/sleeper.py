"""A raw ASGI app that awaits: `/5` answers after five seconds, `/` at once."""

from __future__ import annotations

import asyncio
from typing import Any

BODY = b"slept"
HEADERS = [(b"content-type", b"text/plain"), (b"content-length", b"5")]


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    seconds = float(scope["path"].lstrip("/") or 0)
    if seconds:
        await asyncio.sleep(seconds)
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})
