"""A bare ASGI app with one path for every behaviour that the stories look at. Nothing but the standard library."""

import asyncio
import hashlib
import json
import os
import sys
import threading
from urllib.parse import parse_qsl

from stage import Call

STARTED = {"count": 0}
DOWNLOAD_CHUNK = bytes(range(256)) * 256


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(scope, receive, send)
    if scope["type"] == "websocket":
        return await WEBSOCKETS.get(scope["path"], ws_echo)(scope, receive, send)
    return await ROUTES.get(scope["path"], echo)(scope, receive, send)


async def lifespan(scope, receive, send):
    await receive()
    STARTED["count"] += 1
    if "state" in scope:
        scope["state"]["started"] = STARTED["count"]
    await send({"type": "lifespan.startup.complete"})
    await receive()
    if os.environ.get("SHUTDOWN_LOG"):
        append(os.environ["SHUTDOWN_LOG"], f"shutdown {os.getpid()}")
    await send({"type": "lifespan.shutdown.complete"})


def append(path, text):
    """One write with O_APPEND: whole lines, also from several processes."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, f"{text}\n".encode())
    finally:
        os.close(fd)


def query(scope):
    return dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))


def latin(pairs):
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in pairs]


async def answer(send, body=b"", status=200, headers=(), kind=b"text/plain"):
    head = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


async def answer_json(send, value, status=200):
    await answer(send, json.dumps(value).encode(), status, kind=b"application/json")


async def body_of(receive):
    """Yields the chunks of the body; raises ConnectionError when the client leaves first."""
    more = True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ConnectionError("the client left")
        yield event.get("body", b"")
        more = event.get("more_body", False)


async def echo(scope, receive, send):
    """The scope as JSON, bytes as Latin-1 text."""
    chunks = [chunk async for chunk in body_of(receive)]
    await answer_json(
        send,
        {
            "method": scope["method"],
            "http_version": scope["http_version"],
            "scheme": scope["scheme"],
            "path": scope["path"],
            "raw_path": scope["raw_path"].decode("latin-1"),
            "query_string": scope["query_string"].decode("latin-1"),
            "root_path": scope["root_path"],
            "headers": latin(scope["headers"]),
            "client": scope["client"],
            "server": scope["server"],
            "spec_version": scope["asgi"]["spec_version"],
            "extensions": sorted(scope.get("extensions", {})),
            "tls": {key: str(value) for key, value in scope.get("extensions", {}).get("tls", {}).items()},
            "state": scope.get("state"),
            "body": b"".join(chunks).decode("latin-1"),
            "pid": os.getpid(),
        },
    )


async def hello(scope, receive, send):
    await answer(send, b"Hello, world!")


async def pid(scope, receive, send):
    await answer(send, str(os.getpid()).encode())


async def counted(scope, receive, send):
    """Writes down that the call began, so that a story knows which requests an app has seen."""
    key = query(scope)["key"]
    append(os.environ["BEGUN_LOG"], f"{key} {os.getpid()}")
    await asyncio.sleep(0)
    await answer(send, str(os.getpid()).encode())


async def upload(scope, receive, send):
    """Counts and hashes the body. `?pause_ms=` waits between chunks, as a slow app would."""
    pause = int(query(scope).get("pause_ms", "0")) / 1000
    digest, size, pieces = hashlib.sha256(), 0, 0
    async for chunk in body_of(receive):
        digest.update(chunk)
        size += len(chunk)
        pieces += 1
        if pause:
            await asyncio.sleep(pause)
    await answer_json(send, {"size": size, "sha256": digest.hexdigest(), "pieces": pieces})


async def download(scope, receive, send):
    """`?size=` bytes, 64 KiB at a time; `?chunked` leaves the length out."""
    asked = query(scope)
    left = int(asked["size"])
    headers = [] if "chunked" in asked else [(b"content-length", b"%d" % left)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    while left > 0:
        piece = DOWNLOAD_CHUNK[: min(left, len(DOWNLOAD_CHUNK))]
        left -= len(piece)
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body"})


async def stage(scope, receive, send):
    """Waits for the story's word. `?answer_first` sends the response head and a first chunk before it waits."""
    asked = query(scope)
    call = await Call.begin(asked["key"])
    try:
        if "answer_first" in asked:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"first ", "more_body": True})
        told = asyncio.ensure_future(call.told())
        gone = asyncio.ensure_future(disconnected(receive))
        await asyncio.wait([told, gone], return_when=asyncio.FIRST_COMPLETED)
        if not told.done():
            call.say("disconnected")
            await told
        gone.cancel()
        body = f"{asked['key']} {told.result()}".encode()
        if "answer_first" in asked:
            await send({"type": "http.response.body", "body": body})
        else:
            await answer(send, body)
    except OSError:
        call.say("oserror")
    finally:
        await call.end()


async def disconnected(receive):
    while (await receive())["type"] != "http.disconnect":
        pass


async def background(scope, receive, send):
    """Answers, then goes on until the story lets it end."""
    call = await Call.begin(query(scope)["key"])
    await answer(send, b"answered")
    await call.told()
    await call.end()


async def no_body_read(scope, receive, send):
    await answer(send, b"not read", 403)


async def status(scope, receive, send):
    """`?code=` with a body that HTTP does not allow for HEAD, 204 and 304."""
    code = int(query(scope)["code"])
    await send({"type": "http.response.start", "status": code, "headers": [(b"x-kind", b"status")]})
    await send({"type": "http.response.body", "body": b"" if code in (204, 304) else b"with a body"})


async def duplicates(scope, receive, send):
    await answer(
        send,
        b"ok",
        headers=[(b"set-cookie", b"a=1"), (b"x-one", b"1"), (b"set-cookie", b"b=2"), (b"x-one", b"2")],
    )


async def trailers(scope, receive, send):
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"trailer", b"x-sum")],
            "trailers": True,
        }
    )
    await send({"type": "http.response.body", "body": b"summed"})
    await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"42")]})


async def hints(scope, receive, send):
    await send({"type": "http.response.early_hint", "links": [b"</style.css>; rel=preload; as=style"]})
    await answer(send, b"hinted")


async def pathsend(scope, receive, send):
    path = query(scope)["path"]
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-length", b"%d" % os.stat(path).st_size)],
        }
    )
    await send({"type": "http.response.pathsend", "path": path})


async def events(scope, receive, send):
    """Server-sent events, each on the story's word."""
    call = await Call.begin(query(scope)["key"])
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
    )
    number = 0
    while await call.told() == "go":
        await send({"type": "http.response.body", "body": b"data: %d\n\n" % number, "more_body": True})
        number += 1
    await send({"type": "http.response.body"})
    await call.end()


async def raises(scope, receive, send):
    raise RuntimeError("raised on purpose before the response")


async def raises_late(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    raise RuntimeError("raised on purpose after the response began")


async def exits(scope, receive, send):
    os._exit(7)


async def stuck(scope, receive, send):
    """Blocks the event loop, as a bug would."""
    threading.Event().wait()


async def prints(scope, receive, send):
    print("printed by", query(scope)["key"])
    print("complained by", query(scope)["key"], file=sys.stderr)
    await answer(send, b"printed")


async def injects(scope, receive, send):
    """Tries to smuggle a header into the response."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-bad", b"a\r\nx-worse: b")]})
    await send({"type": "http.response.body", "body": b"injected"})


ROUTES = {
    "/background": background,
    "/counted": counted,
    "/download": download,
    "/duplicates": duplicates,
    "/events": events,
    "/exits": exits,
    "/healthz": hello,
    "/hello": hello,
    "/hints": hints,
    "/injects": injects,
    "/no-body-read": no_body_read,
    "/pathsend": pathsend,
    "/pid": pid,
    "/prints": prints,
    "/raises": raises,
    "/raises-late": raises_late,
    "/stage": stage,
    "/status": status,
    "/stuck": stuck,
    "/trailers": trailers,
    "/upload": upload,
}


async def ws_echo(scope, receive, send):
    """Sends back what comes; writes the close code down for the story under its `?key=`."""
    key = query(scope).get("key", "")
    assert (await receive())["type"] == "websocket.connect"
    offered = scope["subprotocols"]
    await send({"type": "websocket.accept", "subprotocol": offered[-1] if offered else None})
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            if os.environ.get("CLOSE_LOG"):
                append(os.environ["CLOSE_LOG"], f"{key} {event['code']} {event.get('reason') or ''}")
            return
        if event.get("text") is not None:
            await send({"type": "websocket.send", "text": event["text"]})
        else:
            await send({"type": "websocket.send", "bytes": event["bytes"]})


async def ws_close(scope, receive, send):
    asked = query(scope)
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": int(asked["code"]), "reason": asked.get("reason", "")})


async def ws_refuse(scope, receive, send):
    await receive()
    await send({"type": "websocket.close"})


async def ws_deny(scope, receive, send):
    await receive()
    await send({"type": "websocket.http.response.start", "status": 418, "headers": [(b"x-denied", b"yes")]})
    await send({"type": "websocket.http.response.body", "body": b"denied"})


async def ws_raises(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    raise RuntimeError("raised on purpose in a WebSocket")


WEBSOCKETS = {"/ws/close": ws_close, "/ws/refuse": ws_refuse, "/ws/deny": ws_deny, "/ws/raises": ws_raises}
