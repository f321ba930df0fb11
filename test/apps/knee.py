"""
An ASGI app that does eight requests at a time, in 20 ms each, or as KNEE_SLOTS and KNEE_SECONDS say; more only wait. `/peak` answers
the most that were in it at once.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

SLOTS = int(os.environ.get("KNEE_SLOTS", "8"))
SECONDS = float(os.environ.get("KNEE_SECONDS", "0.02"))

room = asyncio.Semaphore(SLOTS)
seen = {"now": 0, "peak": 0}


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    if scope["path"] == "/peak":
        body = str(seen["peak"]).encode()
        seen["peak"] = seen["now"]
    else:
        seen["now"] += 1
        seen["peak"] = max(seen["peak"], seen["now"])
        async with room:
            await asyncio.sleep(SECONDS)
        seen["now"] -= 1
        body = b"done"
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
