"""What every ASGI instance does at its start and for its first requests, done once in the zygote, with an app of our own.

CPython writes into functions and their bytecode while they run for the first times (the specializing interpreter of PEP 659), and
much is made at its first use. An instance that is the first to run a piece of code so writes to pages that it shared with the
zygote: they are copied, which costs it memory and time. What ran here is written already when it is forked.

Nothing of the user's app is called, and nothing is left open: loop, sockets and threads are gone before the first fork.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from typing import Any

from . import frames as f
from .asgi import Server
from .boot import Boot
from .control import Control
from .loops import new_loop

TIMES = 2
REQUESTS = 20
"""Calls of a function after which CPython has specialized it, and some more."""
_PATIENCE = 5.0
_HEADERS = b"host\0rehearsal\0user-agent\0-\0accept\0*/*"
_REQUEST = b"GET\0/path?query\0" + b"127.0.0.1 1 127.0.0.1 2\0" + b"id\0" + b"1000\0" + b"\0" + _HEADERS
_RESPONSE = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"2")],
}


def rehearse(boot: Boot) -> None:
    """Run an instance's whole life, a few times. boot: the zygote's. A rehearsal that fails is told, and does no harm."""
    try:
        for _ in range(TIMES):
            loop, name = new_loop(boot.loop)
            # Not with set_event_loop: what asyncio.get_event_loop() answers in a hook of the app must stay as it was.
            try:
                loop.run_until_complete(asyncio.wait_for(_life(boot, loop, name), _PATIENCE))
                loop.run_until_complete(loop.shutdown_default_executor())
            finally:
                loop.close()
    except Exception as error:  # noqa: BLE001 - whatever it is, instances start without it
        print(f"headrace zygote: instances start a little slower: {type(error).__name__}: {error}", file=sys.stderr)


async def _app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await receive()
    await send(_RESPONSE)
    await send({"type": "http.response.body", "body": b"{}"})


async def _life(boot: Boot, loop: asyncio.AbstractEventLoop, name: str) -> None:
    path = os.path.join(os.path.dirname(boot.control), f"rehearsal-{os.getpid()}")
    own, platform = socket.socketpair()
    platform.setblocking(False)
    script = Boot(id="rehearsal", listen=path, loop=boot.loop, preload="app", concurrency=boot.concurrency, window=boot.window)
    control = Control(own)
    control.on_eof = _nothing
    serving = asyncio.ensure_future(Server(_app, script, control, loop).serve(name))
    playing = asyncio.ensure_future(_play(loop, platform, path, boot.window))
    try:
        await asyncio.wait({serving, playing}, return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            await playing
        # When it has ended before it was told to, why is what counts.
        await serving
    finally:
        for task in (serving, playing):
            task.cancel()
        await asyncio.gather(serving, playing, return_exceptions=True)
        control.close()
        platform.close()


def _nothing() -> None:
    """The end of this platform is no reason to end the process."""


async def _play(loop: asyncio.AbstractEventLoop, platform: socket.socket, path: str, window: int) -> None:
    """The platform's part, and a gateway's."""
    await _message(loop, platform, "ready")
    await _requests(path, window)
    await loop.sock_sendall(platform, json.dumps({"type": "stop", "timeout_ms": 1000}).encode() + b"\n")


async def _message(loop: asyncio.AbstractEventLoop, platform: socket.socket, kind: str) -> None:
    text = b""
    while f'"type": "{kind}"'.encode() not in text:
        got = await loop.sock_recv(platform, 65536)
        if not got:
            raise EOFError(f"no message {kind}")
        text += got


async def _requests(path: str, window: int) -> None:
    """One after the other, as a gateway with little to do sends them."""
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(f.hello(window))
        await _frame(reader)
        for number in range(1, REQUESTS + 1):
            writer.write(f.frame(f.REQUEST, f.FLAG_END, number, _REQUEST))
            while not await _frame(reader) & f.FLAG_DONE:
                pass
    finally:
        writer.close()
        await writer.wait_closed()


async def _frame(reader: asyncio.StreamReader) -> int:
    """Reads one frame. Its flags."""
    head = await reader.readexactly(f.HEADER_SIZE)
    await reader.readexactly(int.from_bytes(head[:4], "big"))
    return head[9]
