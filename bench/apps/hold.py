"""Awaits for five seconds on /hold and answers at once everywhere else: for many requests in flight at once."""

import asyncio
from typing import Any

SECONDS = 5.0
HEADERS = [(b"content-type", b"text/plain"), (b"content-length", b"4")]


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["path"] == "/hold":
        await asyncio.sleep(SECONDS)
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b"held"})
