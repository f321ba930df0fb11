"""An answer at once on /, one that keeps the processor for 20 ms on /heavy."""

import time
from typing import Any

SECONDS = 0.02
HEADERS = [(b"content-type", b"text/plain"), (b"content-length", b"4")]


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["path"] == "/heavy":
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b"done"})
