"""What a soak calls: a hello, an echo, a stream, and a request that takes a moment."""

import asyncio


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            await send({"type": f"{event['type']}.complete"})
            if event["type"] == "lifespan.shutdown":
                return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/stream":
        for _ in range(8):
            await send({"type": "http.response.body", "body": b"x" * 4096, "more_body": True})
    elif scope["path"] == "/moment":
        await asyncio.sleep(0.01)
    await send({"type": "http.response.body", "body": b"Hello, world!"})
