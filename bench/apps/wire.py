"""Bytes and messages: /up counts what comes, /down sends 100 MB, a WebSocket sends back what it gets."""

SIZE = 100_000_000
CHUNK = b"x" * 100_000


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            await send({"type": f"{event['type']}.complete"})
            if event["type"] == "lifespan.shutdown":
                return
    elif scope["type"] == "websocket":
        await echo(receive, send)
    elif scope["path"] == "/down":
        await start(send, SIZE)
        for _ in range(SIZE // len(CHUNK)):
            await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    else:
        await count(receive, send)


async def echo(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        if event.get("text") is not None:
            await send({"type": "websocket.send", "text": event["text"]})
        else:
            await send({"type": "websocket.send", "bytes": event["bytes"]})


async def count(receive, send):
    size = 0
    while True:
        event = await receive()
        size += len(event.get("body", b""))
        if not event.get("more_body"):
            break
    body = b"%012d" % size
    await start(send, len(body))
    await send({"type": "http.response.body", "body": body})


async def start(send, length):
    headers = [(b"content-type", b"application/octet-stream"), (b"content-length", b"%d" % length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
