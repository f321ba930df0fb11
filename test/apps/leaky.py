"""An ASGI app that keeps what it is told to: `/keep?mb=4` holds four more MiB for good. Every answer names the process."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import parse_qs

kept: list[bytearray] = []


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    query = parse_qs(scope["query_string"].decode())
    for mb in query.get("mb", []):
        kept.append(bytearray(b"x" * (int(mb) << 20)))
    body = str(os.getpid()).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
