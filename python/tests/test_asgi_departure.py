"""ASGI: an instance that leaves while others wait for nothing: what lasts is told to end, what was only slow is not."""

from __future__ import annotations

from harness import Platform, Stream

from headrace.worker import frames as f

APP = """
import asyncio
gate = asyncio.Event()

async def app(scope, receive, send):
    path = scope["path"]
    if path == "/slow":
        await gate.wait()
    elif path == "/open":
        gate.set()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while path == "/ticker":
        await send({"type": "http.response.body", "body": b"tick", "more_body": True})
        await asyncio.sleep(0.005)
    await send({"type": "http.response.body", "body": path.encode()})
"""


def was_cut(stream: Stream) -> bool:
    frame = stream.next()
    while frame.type == f.DATA:
        frame = stream.next()
    return (frame.type, frame.status, frame.done) == (f.RESET, f.RESET_INCOMPLETE, True)


def test_disconnect_of_what_had_begun_at_the_time_before(platform: Platform) -> None:
    instance = platform.start("app.py:app", APP, lifespan="off")
    with instance.connect() as gateway:
        slow, early = gateway.request("GET", "/slow"), gateway.request("GET", "/ticker")
        early.expect(f.RESPONSE)
        instance.tell("drain")
        instance.tell("stats")
        instance.wait("stats")
        late = gateway.request("GET", "/ticker")
        late.expect(f.RESPONSE)
        for stream in (early, late):
            instance.tell("disconnect", begun=True)
            assert was_cut(stream)
        gateway.get("/open")
        assert slow.answer().body == b"/slow"
    assert instance.stop() == 0
