"""Streams in and out, in plain ASGI: uploads, downloads, events, and a file that the gateway sends by itself.

PUT  /upload            counts and hashes the body as it arrives
GET  /download?mib=64   makes that many MiB as fast as the client takes them
GET  /events?count=5    server-sent events, one every 100 ms
GET  /file              this file, sent by the gateway where it offers http.response.pathsend
"""

import asyncio
import hashlib
import json
import pathlib
from urllib.parse import parse_qs

THIS_FILE = pathlib.Path(__file__).resolve()
MIB = b"\x00" * (1 << 20)


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    handler = ROUTES.get((scope["method"], scope["path"]), not_found)
    await handler(scope, receive, send)


async def upload(scope, receive, send):
    digest, size, more = hashlib.sha256(), 0, True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        chunk = event.get("body", b"")
        digest.update(chunk)
        size += len(chunk)
        more = event.get("more_body", False)
    body = json.dumps({"size": size, "sha256": digest.hexdigest()}).encode()
    await start(send, 200, b"application/json", length=len(body))
    await send({"type": "http.response.body", "body": body})


async def download(scope, receive, send):
    mib = int(query(scope).get("mib", "64"))
    await start(send, 200, b"application/octet-stream", length=mib * len(MIB))
    for _ in range(mib):
        # Returns once more may be sent: the app is never ahead of a slow client by more than a window.
        await send({"type": "http.response.body", "body": MIB, "more_body": True})
    await send({"type": "http.response.body"})


async def events(scope, receive, send):
    await start(send, 200, b"text/event-stream")
    for n in range(int(query(scope).get("count", "5"))):
        await send({"type": "http.response.body", "body": b"data: %d\n\n" % n, "more_body": True})
        await asyncio.sleep(0.1)
    await send({"type": "http.response.body"})


async def file(scope, receive, send):
    await start(send, 200, b"text/x-python", length=THIS_FILE.stat().st_size)
    if "http.response.pathsend" in scope.get("extensions", {}):
        await send({"type": "http.response.pathsend", "path": str(THIS_FILE)})
    else:
        await send({"type": "http.response.body", "body": THIS_FILE.read_bytes()})


async def not_found(scope, receive, send):
    await start(send, 404, b"text/plain")
    await send({"type": "http.response.body", "body": b"PUT /upload, GET /download, /events or /file\n"})


ROUTES = {
    ("PUT", "/upload"): upload,
    ("GET", "/download"): download,
    ("GET", "/events"): events,
    ("GET", "/file"): file,
}


def query(scope):
    return {name: values[0] for name, values in parse_qs(scope["query_string"].decode("latin-1")).items()}


async def start(send, status, content_type, length=None):
    headers = [(b"content-type", content_type)]
    if length is not None:
        headers.append((b"content-length", b"%d" % length))
    await send({"type": "http.response.start", "status": status, "headers": headers})
