"""An app that does at import what belongs after the fork: it connects, starts a thread and makes an event loop."""

import asyncio
import socket
import threading

backend = socket.create_server(("127.0.0.1", 0))
connection = socket.create_connection(backend.getsockname())
stop = threading.Event()
flusher = threading.Thread(target=stop.wait, name="metrics-flusher", daemon=True)
flusher.start()
loop = asyncio.new_event_loop()


async def app(scope, receive, send):
    """Answers everything with 204."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})
