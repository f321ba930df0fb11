"""Damaged frames on a live instance: thousands of connections, each may end, the instance goes on."""

from __future__ import annotations

import random
import select
from typing import List

import pytest
from harness import Gateway, Instance, Platform

from headrace.worker import frames as f

APP = """
async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                return
            await send({"type": "websocket.send", "bytes": event.get("bytes"), "text": event.get("text")})
    more = True
    await send({"type": "http.response.start", "status": 200})
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        more = event["more_body"]
        await send({"type": "http.response.body", "body": event["body"], "more_body": more})
"""
PAYLOAD = b"\0".join((b"POST", b"/x?y", b"192.0.2.7 1 127.0.0.1 2", b"id", b"100", b"", b"host", b"h"))
ROUNDS = 4000


def conversation(rng: random.Random) -> List[bytes]:
    """A valid conversation of a gateway, frame by frame."""
    frames = [f.hello(65536)]
    for stream in range(1, rng.randrange(2, 8)):
        kind = rng.randrange(3)
        if kind == 0:
            frames.append(f.frame(f.REQUEST, f.FLAG_END, stream, PAYLOAD))
        elif kind == 1:
            frames.append(f.frame(f.REQUEST, 0, stream, PAYLOAD))
            frames.append(f.frame(f.DATA, 0, stream, b"a" * rng.randrange(50)))
            frames.append(f.credit(stream, 1000))
            frames.append(f.frame(f.DATA, f.FLAG_END, stream, b"b"))
        else:
            frames.append(f.frame(f.REQUEST, f.FLAG_WEBSOCKET, stream, PAYLOAD))
        if rng.random() < 0.3:
            frames.append(f.reset(stream, 1, "gone"))
        frames.append(f.frame(f.PING, 0, 0, b"12345678"))
    return frames


def damage(rng: random.Random, frames: List[bytes]) -> bytes:
    """The conversation with one to three faults: of bytes, or of order."""
    frames = list(frames)
    for _ in range(rng.randrange(1, 4)):
        fault = rng.randrange(6)
        at = rng.randrange(len(frames))
        one = bytearray(frames[at])
        if fault == 0:
            one[rng.randrange(len(one))] = rng.randrange(256)
            frames[at] = bytes(one)
        elif fault == 1:
            one[rng.randrange(min(10, len(one)))] ^= 1 << rng.randrange(8)
            frames[at] = bytes(one)
        elif fault == 2:
            frames.insert(at, frames[rng.randrange(len(frames))])
        elif fault == 3:
            frames[at] = bytes(one[: rng.randrange(len(one))])
        elif fault == 4:
            other = rng.randrange(len(frames))
            frames[at], frames[other] = frames[other], frames[at]
        else:
            frames.insert(at, rng.getrandbits(8 * 16).to_bytes(16, "big"))
        if not frames[at]:
            frames[at] = b"\0"
    return b"".join(frames)


def send_and_hang_up(instance: Instance, data: bytes) -> None:
    gateway = Gateway(instance.listen, hello=False)
    try:
        gateway.send(data)
        if select.select([gateway.socket], [], [], 0)[0]:
            gateway.socket.recv(1 << 16)
    except (BrokenPipeError, ConnectionResetError):
        pass
    finally:
        gateway.close()


def streams_end(instance: Instance) -> bool:
    """Ask until no stream is open: the last connections' ends may still be on their way."""
    for count in range(1, 1000):
        instance.tell("stats")
        if instance.wait("stats", count)["streams"] == 0:
            return True
    return False


@pytest.mark.parametrize("loop", ["asyncio", "auto"])
def test_damaged_conversations_end_their_connection_only(platform: Platform, loop: str) -> None:
    instance = platform.start("app.py", APP, loop=loop, lifespan="off", logs=True, table=True)
    rng = random.Random(20)
    with instance.connect() as witness:
        for number in range(ROUNDS):
            send_and_hang_up(instance, damage(rng, conversation(rng)))
            if number % 250 == 0:
                assert witness.post("/", b"still here").body == b"still here"
        assert witness.post("/", b"still here").body == b"still here"
        assert streams_end(instance)
    assert instance.stop() == 0
    lines = instance.log()
    assert len([line for line in lines if "connection of" in line]) > ROUNDS // 10
    odd = [line for line in lines if "connection of" not in line]
    assert odd == []


def test_what_is_refused_is_one_line(platform: Platform) -> None:
    instance = platform.start("app.py", APP, lifespan="off", logs=True)
    rng = random.Random(21)
    for number in range(50):
        with instance.connect(gateway=number) as gateway:
            gateway.send(b"\0\0\0\0\0\0\0\1\xee\0" + rng.getrandbits(800).to_bytes(100, "big"))
            assert gateway.closed_by_worker()
    for number in range(50):
        instance.wait_log(f"connection of gateway {number} closed")
        found = [line for line in instance.log() if f"connection of gateway {number} closed" in line]
        assert len(found) == 1 and found[0].endswith("frame of unknown type 0xee at byte 26")
    assert instance.stop() == 0
