"""ASGI streams: bodies with flow control both ways, 100-continue, disconnects, drain and stop."""

from __future__ import annotations

import importlib.util
from typing import Any, Iterator, List

import pytest
from harness import WINDOW, Gateway, Instance, Platform, Stream

from headrace.worker import frames as f

APP = '''
import asyncio, sys
GATES = {}

def note(*words):
    print(*words, file=sys.stderr, flush=True)

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise ValueError("no lifespan here")
    await globals()[scope["path"][1:]](scope, receive, send)

async def start(send, headers=()):
    await send({"type": "http.response.start", "status": 200, "headers": headers})

async def body(send, data=b"", more=False):
    await send({"type": "http.response.body", "body": data, "more_body": more})

async def gate(scope):
    await GATES.setdefault(scope["query_string"], asyncio.Event()).wait()

async def open(scope, receive, send):
    GATES.setdefault(scope["query_string"], asyncio.Event()).set()
    await start(send)
    await body(send)

async def hello(scope, receive, send):
    await start(send)
    await body(send, b"hello")

async def echo(scope, receive, send):
    """Sends what it receives, event by event."""
    await start(send)
    more = True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            note("echo: disconnect")
            return
        more = event["more_body"]
        await body(send, event["body"], more)

async def count(scope, receive, send):
    total, more = 0, True
    while more:
        event = await receive()
        total += len(event["body"])
        more = event["more_body"]
    await start(send)
    await body(send, str(total).encode())

async def wait_then_count(scope, receive, send):
    await gate(scope)
    await count(scope, receive, send)

async def ignore_body(scope, receive, send):
    await start(send)
    await body(send, b"early")
    await gate(scope)

async def large(scope, receive, send):
    await start(send)
    await body(send, b"x" * 1_000_000)

async def endless(scope, receive, send):
    await start(send)
    try:
        while True:
            await body(send, b"y" * 10_000, True)
    except OSError as error:
        note("endless:", type(error).__name__, scope["query_string"].decode())
        if scope["query_string"] == b"again":
            try:
                await body(send, b"z", True)
            except OSError:
                note("endless: again")
        if scope["query_string"] == b"group":
            class BaseExceptionGroup(Exception):
                exceptions = (error,)
            raise BaseExceptionGroup("nested")
        raise

async def listen(scope, receive, send):
    """Waits for the disconnect, then tries to send."""
    await receive()
    events = [await receive(), await receive()]
    try:
        await start(send)
        note("listen: sent")
    except OSError as error:
        note("listen:", [event["type"] for event in events], type(error).__name__)

async def not_cancelled(scope, receive, send):
    try:
        await gate(scope)
        note("not_cancelled: went on")
    except BaseException as error:
        note("not_cancelled:", repr(error))
        raise

async def slow(scope, receive, send):
    await gate(scope)
    await start(send)
    await body(send, b"slow but whole")

async def ticker(scope, receive, send):
    await start(send, [(b"content-type", b"text/event-stream")])
    while True:
        await body(send, b"tick", True)
        await asyncio.sleep(0.005)

async def hog(scope, receive, send):
    """Never waits for anything but send."""
    await start(send)
    for number in range(6):
        await body(send, b"%d" % number, True)
    note("hog: all sent")
    await body(send)

async def cancelled_receive(scope, receive, send):
    """A receive that is given up must not eat the body."""
    try:
        await asyncio.wait_for(receive(), 0.01)
    except asyncio.TimeoutError:
        pass
    await start(send)
    await body(send, b"ready", True)
    event = await receive()
    await body(send, event["body"])
'''

LOOPS = ["asyncio", "uvloop"] if importlib.util.find_spec("uvloop") else ["asyncio"]


@pytest.fixture(scope="module", params=LOOPS)
def loop(request: Any) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def instance(shared: Platform, loop: str) -> Iterator[Instance]:
    one = shared.start("stream_app.py", APP, loop=loop, logs=True)
    yield one
    assert one.stop() == 0


@pytest.fixture
def fresh(shared: Platform, loop: str) -> Instance:
    """An instance for tests that stop it."""
    return shared.start("stream_app.py", APP, loop=loop, logs=True)


@pytest.fixture
def gateway(instance: Instance) -> Iterator[Gateway]:
    with instance.connect() as one:
        yield one


def begin(gateway: Gateway, path: str) -> Stream:
    """A POST whose response head has come."""
    stream = gateway.request("POST", path, body=None)
    return stream


# Request bodies


def test_body_in_one_piece(gateway: Gateway) -> None:
    assert gateway.post("/echo", b"abc").body == b"abc"


def test_body_in_pieces(gateway: Gateway) -> None:
    stream = gateway.request("POST", "/echo", body=None)
    for part in (b"one", b"two", b"three"):
        stream.data(part)
        got = b""
        while got != part:
            frame = stream.next()
            if frame.type == f.DATA:
                got += frame.payload
    stream.data(b"", end=True)
    assert stream.next().end


def test_credit_comes_in_halves_of_the_window_as_the_app_takes(gateway: Gateway) -> None:
    stream = gateway.request("POST", "/count", body=None)
    total = granted = 0
    left = gateway.window
    while total < 10 * WINDOW:
        if left == 0:
            frame = stream.expect(f.CREDIT)
            amount = int.from_bytes(frame.payload, "big")
            assert amount >= WINDOW // 2
            left += amount
            granted += amount
        size = min(left, 10_000)
        stream.data(b"z" * size)
        left -= size
        total += size
    stream.data(b"", end=True)
    answer = stream.answer()
    assert answer.body == str(total).encode()


def test_no_credit_before_the_app_takes(gateway: Gateway) -> None:
    stream = gateway.request("POST", "/wait_then_count?credit", body=None)
    stream.data(b"a" * gateway.window)
    assert gateway.get("/hello").body == b"hello"
    assert not gateway._frames.get(stream.number)
    gateway.get("/open?credit")
    stream.expect(f.CREDIT)
    stream.data(b"b", end=True)
    assert stream.answer().body == str(WINDOW + 1).encode()


def test_expect_is_granted_when_the_app_asks(gateway: Gateway) -> None:
    stream = gateway.request("POST", "/wait_then_count?expect", body=None, flags=f.FLAG_EXPECT)
    assert gateway.get("/hello").body == b"hello"
    assert not gateway._frames.get(stream.number)
    gateway.get("/open?expect")
    credit = stream.expect(f.CREDIT)
    assert int.from_bytes(credit.payload, "big") == WINDOW
    stream.data(b"12345", end=True)
    assert stream.answer().body == b"5"


def test_expect_is_not_granted_when_the_app_never_asks(gateway: Gateway) -> None:
    stream = gateway.request("POST", "/hello", body=None, flags=f.FLAG_EXPECT)
    answer = stream.answer()
    assert answer.body == b"hello"
    assert f.CREDIT not in [frame.type for frame in answer.frames]


def test_body_after_an_early_response_is_dropped(gateway: Gateway) -> None:
    stream = gateway.request("POST", "/ignore_body?early", body=None)
    assert stream.expect(f.RESPONSE).status == 200
    assert stream.expect(f.DATA).end
    stream.data(b"late" * 100)
    stream.data(b"", end=True)
    gateway.get("/open?early")
    stream.expect_done()
    stream.data(b"after DONE: crossed on the wire")
    assert gateway.get("/hello").body == b"hello"


def test_a_receive_that_was_given_up_does_not_eat_the_body(gateway: Gateway) -> None:
    stream = gateway.request("POST", "/cancelled_receive", body=None)
    stream.expect(f.RESPONSE)
    assert stream.expect(f.DATA).payload == b"ready"
    stream.data(b"kept", end=True)
    assert stream.expect(f.DATA).payload == b"kept"


# Response bodies


def test_send_waits_for_credit(instance: Instance) -> None:
    with instance.connect(window=1000) as gateway:
        stream = gateway.request("GET", "/large")
        stream.expect(f.RESPONSE)
        assert len(stream.expect(f.DATA).payload) == 1000
        gateway.get("/hello")
        assert not gateway._frames.get(stream.number)
        stream.credit(1)
        assert len(stream.expect(f.DATA).payload) == 1
        stream.credit(2_000_000)
        size = 0
        while True:
            frame = stream.expect(f.DATA)
            size += len(frame.payload)
            if frame.end:
                break
        assert size == 1_000_000 - 1001
        assert frame.done


def test_large_bodies_are_cut_into_frames(instance: Instance) -> None:
    with instance.connect(window=1 << 30) as gateway:
        answer = gateway.get("/large")
        assert answer.body == b"x" * 1_000_000
        assert max(len(frame.payload) for frame in answer.frames) <= f.MAX_PAYLOAD


def test_an_app_that_never_waits_does_not_keep_its_chunks_back(gateway: Gateway, instance: Instance) -> None:
    answer = gateway.get("/hog")
    assert answer.body == b"012345"
    assert len([frame for frame in answer.frames if frame.type == f.DATA]) >= 6


# Disconnects


@pytest.mark.parametrize("query", ["plain", "again", "group"])
def test_send_raises_after_a_reset_and_the_error_is_swallowed(gateway: Gateway, instance: Instance, query: str) -> None:
    stream = gateway.request("GET", f"/endless?{query}")
    stream.expect(f.RESPONSE)
    stream.expect(f.DATA)
    stream.reset()
    frame = stream.next()
    while frame.type == f.DATA:
        frame = stream.next()
    assert frame.type == f.DONE
    instance.wait_log(f"endless: ClientDisconnected {query}")
    if query == "again":
        instance.wait_log("endless: again")
    assert gateway.get("/hello").body == b"hello"
    assert not [line for line in instance.log() if "exception in the app" in line]


def test_disconnect_is_delivered_every_time(gateway: Gateway, instance: Instance) -> None:
    stream = gateway.request("GET", "/listen")
    stream.reset()
    stream.expect_done()
    instance.wait_log("listen: ['http.disconnect', 'http.disconnect'] ClientDisconnected")


def test_nobody_is_cancelled(gateway: Gateway, instance: Instance) -> None:
    stream = gateway.request("GET", "/not_cancelled?nc")
    gateway.get("/hello")
    stream.reset(f.RESET_DEADLINE)
    gateway.get("/open?nc")
    stream.expect_done()
    instance.wait_log("not_cancelled: went on")


def test_the_end_of_a_connection_disconnects_its_streams(instance: Instance) -> None:
    before = len([message for message in instance.messages if message["type"] == "released"])
    gateway = instance.connect(gateway=77)
    gateway.request("GET", "/not_cancelled?lost")
    gateway.request("GET", "/listen")
    assert gateway.get("/hello").body == b"hello"
    gateway.close()
    with instance.connect(gateway=78) as other:
        instance.wait_log("listen: ['http.disconnect', 'http.disconnect'] ClientDisconnected")
        other.get("/hello")
        released = [message["gateway"] for message in instance.messages if message["type"] == "released"]
        assert 77 not in released, "a stream of gateway 77 is still running"
        other.get("/open?lost")
        while 77 not in [message.get("gateway") for message in instance.messages]:
            before += 1
            instance.wait("released", before)


# What the platform asks for


def test_ping_is_answered(gateway: Gateway) -> None:
    gateway.send(f.frame(f.PING, 0, 0, b"8 bytes!"))
    pong = gateway.next(0)
    assert (pong.type, pong.payload) == (f.PONG, b"8 bytes!")
    gateway.send(f.frame(f.PONG, 0, 0, b"8 bytes!"))
    assert gateway.get("/hello").body == b"hello"


def test_stats(gateway: Gateway, instance: Instance) -> None:
    stream = gateway.request("GET", "/slow?stats")
    gateway.get("/hello")
    instance.tell("stats")
    stats = instance.wait("stats")
    assert stats["streams"] == 1 and stats["served"] >= 1
    assert stats["loop_lag_ms"] >= 0 and stats["threads"] >= 0 and stats["threads_busy"] == 0
    gateway.get("/open?stats")
    assert stream.answer().body == b"slow but whole"


def test_drain_reports_idle_each_time(fresh: Instance) -> None:
    with fresh.connect() as gateway:
        stream = gateway.request("GET", "/slow?drain")
        gateway.get("/hello")
        fresh.tell("drain")
        assert gateway.next(0).type == f.DRAIN
        assert gateway.get("/open?drain").status == 200, "streams that still come are served"
        assert stream.answer().body == b"slow but whole"
        fresh.wait("idle")
        assert gateway.get("/hello").body == b"hello"
        fresh.wait("idle", 2)
        with fresh.connect() as late:
            assert late.next(0).type == f.DRAIN
            assert late.get("/hello").body == b"hello"
        fresh.wait("idle", 3)
        assert fresh.stop() == 0
        assert fresh.wait("stopped")


def test_drain_of_an_idle_instance(fresh: Instance) -> None:
    fresh.tell("drain")
    fresh.wait("idle")
    assert fresh.stop() == 0


def test_disconnect_cuts_streams_and_lets_others_answer(fresh: Instance) -> None:
    with fresh.connect() as gateway:
        streaming = gateway.request("GET", "/ticker")
        streaming.expect(f.RESPONSE)
        slow = gateway.request("GET", "/slow?cut")
        gateway.get("/hello")
        fresh.tell("disconnect")
        frame = streaming.next()
        while frame.type == f.DATA:
            frame = streaming.next()
        assert (frame.type, frame.status, frame.done) == (f.RESET, f.RESET_INCOMPLETE, True)
        gateway.get("/open?cut")
        assert slow.answer().body == b"slow but whole"
        assert not [line for line in fresh.log() if "exception" in line]
    assert fresh.stop() == 0


def test_stop_refuses_new_streams_and_ends_what_hangs(fresh: Instance) -> None:
    with fresh.connect() as gateway:
        gateway.request("GET", "/not_cancelled?never")
        gateway.get("/hello")
        assert fresh.stop() == 0
        fresh.wait("stopped")
        assert gateway.closed_by_worker()
    assert fresh.wait_log("not_cancelled:")


def test_the_socket_is_gone_after_stop(fresh: Instance) -> None:
    assert fresh.stop() == 0
    with pytest.raises((FileNotFoundError, ConnectionRefusedError)):
        fresh.connect()


# Frames that the state of a stream does not allow: only that connection ends


BAD: List[str] = []
"""The instance of each bad frame so far: one log line each."""


def bad_frames(gateway: Gateway) -> Any:
    def after(*frames: bytes) -> bytes:
        return b"".join(frames)

    body = gateway.request("POST", "/wait_then_count?bad", body=None).number
    return {
        "second HELLO": f.hello(1),
        "same stream again": f.frame(f.REQUEST, 1, body, b"GET\0/\0   \0\0\0"),
        "never opened": f.frame(f.DATA, 0, body + 5, b"x"),
        "data after END": after(f.frame(f.DATA, 1, body, b"x"), f.frame(f.DATA, 0, body, b"x")),
        "beyond the window": after(*[f.frame(f.DATA, 0, body, b"x" * 65536)] * 2),
        "credit of nothing": f.credit(body, 0),
        "a message on HTTP": f.frame(f.WS_MESSAGE, 2, body, b"x"),
        "a close on HTTP": f.close(body, 1000, ""),
        "peers of three fields": f.frame(f.REQUEST, 1, body + 1, b"GET\0/\0a 1 b\0\0\0"),
        "a frame of a worker": f.frame(f.DONE, 0, body),
        "too long": f.pack_header(f.MAX_PAYLOAD + 1, body, f.DATA, 0),
    }


@pytest.mark.parametrize(
    "name",
    [
        "second HELLO",
        "same stream again",
        "never opened",
        "data after END",
        "beyond the window",
        "credit of nothing",
        "a message on HTTP",
        "a close on HTTP",
        "peers of three fields",
        "a frame of a worker",
        "too long",
    ],
)
def test_a_bad_frame_ends_that_connection_only(instance: Instance, gateway: Gateway, name: str) -> None:
    BAD.append(instance.id)
    with instance.connect(gateway=9) as bad:
        waiting = bad.request("GET", "/listen")
        assert waiting.number
        bad.send(bad_frames(bad)[name])
        assert bad.closed_by_worker()
    assert gateway.get("/hello").body == b"hello"
    gateway.get("/open?bad")
    instance.wait_log("connection of gateway 9 closed", count=BAD.count(instance.id))
    assert len([line for line in instance.log() if "connection of gateway 9 closed" in line]) == BAD.count(instance.id)


def test_a_request_before_hello_ends_the_connection(instance: Instance, gateway: Gateway) -> None:
    with instance.connect(hello=False) as bad:
        bad.request("GET", "/hello")
        assert bad.closed_by_worker()
    assert gateway.get("/hello").body == b"hello"
