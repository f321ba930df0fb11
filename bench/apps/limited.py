"""An app behind a bottleneck of its own, such as a pool of eight database connections, each in use for 40 ms: 200 requests/s can be done."""

import asyncio
from typing import Any

PLACES = 8
SECONDS = 0.04
HEADERS = [(b"content-type", b"text/plain"), (b"content-length", b"4")]

places: asyncio.Semaphore | None = None


async def app(scope: Any, receive: Any, send: Any) -> None:
    global places
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if places is None:
        places = asyncio.Semaphore(PLACES)
    async with places:
        await asyncio.sleep(SECONDS)
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b"done"})
