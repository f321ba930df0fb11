"""WebSockets of ASGI apps."""

from __future__ import annotations

import ast
import importlib.util
from typing import Any, Iterator

import pytest
from harness import WINDOW, Gateway, Instance, Platform, Stream

from headrace.worker import frames as f

APP = '''
import asyncio, sys
GATES = {}

def note(*words):
    print(*words, file=sys.stderr, flush=True)

async def app(scope, receive, send):
    assert scope["type"] == "websocket"
    assert (await receive()) == {"type": "websocket.connect"}
    await globals()[scope["path"][1:]](scope, receive, send)

async def accept(send, **more):
    await send({"type": "websocket.accept", **more})

async def scope_(scope, receive, send):
    await accept(send)
    await send({"type": "websocket.send", "text": repr(scope)})

async def echo(scope, receive, send):
    await accept(send)
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            note("echo:", event)
            note("echo again:", await receive())
            try:
                await send({"type": "websocket.send", "text": "x"})
            except OSError as error:
                note("echo send:", type(error).__name__)
            return
        await send({"type": "websocket.send", "bytes": event.get("bytes"), "text": event.get("text")})

async def protocol(scope, receive, send):
    name = scope["subprotocols"][-1]
    await accept(send, subprotocol=name, headers=[(b"X-A", b"1")])
    await send({"type": "websocket.close", "code": 3001, "reason": "bye ü"})
    note("closed:", await receive())
    for message in ({"type": "websocket.send", "text": "x"}, {"type": "websocket.close"}):
        try:
            await send(message)
        except OSError as error:
            note("after close:", type(error).__name__)

async def wrong(scope, receive, send):
    out = []
    async def attempt(**message):
        try:
            await send(message)
            out.append("accepted")
        except Exception as error:
            out.append(type(error).__name__)
    await attempt(type="websocket.send", text="early")
    await attempt(type="websocket.accept", subprotocol="never offered")
    await attempt(type="websocket.accept", headers=[(b"sec-websocket-protocol", b"a")])
    await attempt(type="websocket.http.response.body", body=b"")
    await accept(send)
    await attempt(type="websocket.accept")
    await attempt(type="websocket.send")
    await attempt(type="websocket.send", text=None, bytes=None)
    await attempt(type="websocket.send", text="x", bytes=b"x")
    await attempt(type="websocket.send", text=b"x")
    await attempt(type="websocket.send", bytes="x")
    await attempt(type="websocket.close", code=1005)
    await attempt(type="websocket.close", code=99)
    await attempt(type="websocket.http.response.start", status=200)
    await send({"type": "websocket.send", "text": " ".join(out)})

async def empty(scope, receive, send):
    await accept(send)
    await send({"type": "websocket.send", "text": ""})
    await send({"type": "websocket.send", "bytes": b""})
    await send({"type": "websocket.send", "bytes": bytearray(b"a"), "text": None})

async def refuse(scope, receive, send):
    await send({"type": "websocket.close"})
    note("refused:", (await receive())["type"])

async def deny(scope, receive, send):
    await send({"type": "websocket.http.response.start", "status": 401, "headers": [(b"x", b"1")]})
    await send({"type": "websocket.http.response.body", "body": b"no ", "more_body": True})
    await send({"type": "websocket.http.response.body", "body": b"entry"})
    try:
        await accept(send)
    except OSError:
        note("denied is denied")

async def deny_empty(scope, receive, send):
    await send({"type": "websocket.http.response.start", "status": 404})
    try:
        await accept(send)
    except RuntimeError:
        await send({"type": "websocket.http.response.body"})

async def deny_start_only(scope, receive, send):
    await send({"type": "websocket.http.response.start", "status": 404})

async def deny_partial(scope, receive, send):
    await send({"type": "websocket.http.response.start", "status": 404})
    await send({"type": "websocket.http.response.body", "body": b"x", "more_body": True})

async def silent(scope, receive, send):
    pass

async def raise_early(scope, receive, send):
    raise ValueError("early")

async def raise_late(scope, receive, send):
    await accept(send)
    raise ValueError("late")

async def leave(scope, receive, send):
    await accept(send)

async def hold(scope, receive, send):
    """Accepts, waits for a text, then reads what has come in the meantime."""
    await accept(send)
    gate = GATES[scope["query_string"]] = asyncio.Event()
    await send({"type": "websocket.send", "text": "ready"})
    await gate.wait()
    found = []
    while True:
        event = await receive()
        found.append(event.get("text", event["type"]))
        if event["type"] == "websocket.disconnect":
            break
    note("held:", found, event)

async def release(scope, receive, send):
    GATES[scope["query_string"]].set()
    await send({"type": "websocket.close"})

async def undecided(scope, receive, send):
    note("undecided:", await receive())

async def flood(scope, receive, send):
    await accept(send)
    try:
        while True:
            await send({"type": "websocket.send", "bytes": b"z" * 5000})
    except OSError as error:
        note("flood:", type(error).__name__)
        raise

async def large(scope, receive, send):
    await accept(send)
    event = await receive()
    await send({"type": "websocket.send", "text": str(len(event["bytes"]))})
'''

LOOPS = ["asyncio", "uvloop"] if importlib.util.find_spec("uvloop") else ["asyncio"]
LIMIT = 200_000


@pytest.fixture(scope="module", params=LOOPS)
def instance(request: Any, shared: Platform) -> Iterator[Instance]:
    one = shared.start("ws_app.py", APP, loop=request.param, lifespan="off", logs=True, ws_max_size=LIMIT)
    yield one
    assert one.stop() == 0


@pytest.fixture
def gateway(instance: Instance) -> Iterator[Gateway]:
    with instance.connect() as one:
        yield one


def opened(gateway: Gateway, target: str, *headers: Any) -> Stream:
    stream = gateway.websocket(target, headers)
    stream.expect(f.WS_ACCEPT)
    return stream


def test_scope(gateway: Gateway) -> None:
    headers = [("sec-websocket-protocol", "a, b"), ("host", "h")]
    stream = gateway.websocket("/scope_?x=1", headers, flags=f.FLAG_TLS, tls="772 4865")
    stream.expect(f.WS_ACCEPT)
    scope = ast.literal_eval(stream.expect(f.WS_MESSAGE).payload.decode())
    assert scope["type"] == "websocket" and scope["scheme"] == "wss" and "method" not in scope
    assert scope["subprotocols"] == ["a", "b"]
    assert scope["query_string"] == b"x=1" and scope["asgi"]["spec_version"] == "2.5"
    assert set(scope["extensions"]) == {"websocket.http.response", "tls"}
    assert scope["headers"][0] == (b"sec-websocket-protocol", b"a, b")
    assert scope["state"] == {} and scope["client"] == ("192.0.2.7", 40000)
    frame = stream.expect(f.WS_CLOSE)
    assert frame.status == 1000, "the app has returned: a normal closure"
    stream.expect_done()


def test_messages_go_both_ways(gateway: Gateway, instance: Instance) -> None:
    stream = opened(gateway, "/echo")
    stream.text("hällo")
    frame = stream.expect(f.WS_MESSAGE)
    assert (frame.payload.decode(), frame.flags) == ("hällo", f.FLAG_TEXT)
    stream.send(f.WS_MESSAGE, b"\0\xff")
    frame = stream.expect(f.WS_MESSAGE)
    assert (frame.payload, frame.flags) == (b"\0\xff", 0)
    for flags in (0, f.FLAG_TEXT):
        stream.send(f.WS_MESSAGE, b"", flags)
        frame = stream.expect(f.WS_MESSAGE)
        assert (frame.payload, frame.flags) == (b"", flags)
    stream.gateway.send(f.close(stream.number, 1005, ""))
    stream.expect_done()
    event = repr({"type": "websocket.disconnect", "code": 1005, "reason": ""})
    instance.wait_log(f"echo: {event}")
    instance.wait_log(f"echo again: {event}")
    instance.wait_log("echo send: ClientDisconnected")


def test_fragments_are_joined(gateway: Gateway) -> None:
    stream = opened(gateway, "/echo")
    whole = "ü".encode()
    stream.send(f.WS_MESSAGE, whole[:1], f.FLAG_TEXT | f.FLAG_MORE)
    stream.send(f.WS_MESSAGE, b"", f.FLAG_TEXT | f.FLAG_MORE)
    stream.send(f.WS_MESSAGE, whole[1:], f.FLAG_TEXT)
    assert stream.expect(f.WS_MESSAGE).payload == whole


def test_a_message_larger_than_the_window_comes_through(gateway: Gateway) -> None:
    stream = opened(gateway, "/large")
    left, sent = gateway.window, 0
    while sent < LIMIT:
        while left == 0:
            left += int.from_bytes(stream.expect(f.CREDIT).payload, "big")
        size = min(left, LIMIT - sent, 30_000)
        sent += size
        left -= size
        stream.send(f.WS_MESSAGE, b"m" * size, f.FLAG_MORE if sent < LIMIT else 0)
    frame = stream.next()
    while frame.type == f.CREDIT:
        frame = stream.next()
    assert frame.payload == str(LIMIT).encode()


def test_a_message_over_the_limit_closes_with_1009(gateway: Gateway) -> None:
    stream = opened(gateway, "/large")
    left, sent = gateway.window, 0
    while sent <= LIMIT:
        while left == 0:
            left += int.from_bytes(stream.expect(f.CREDIT).payload, "big")
        size = min(left, 30_000)
        sent += size
        left -= size
        stream.send(f.WS_MESSAGE, b"m" * size, f.FLAG_MORE)
    frame = stream.next()
    while frame.type == f.CREDIT:
        frame = stream.next()
    assert (frame.type, frame.status) == (f.WS_CLOSE, 1009)


def test_empty_messages_cannot_pile_up(gateway: Gateway) -> None:
    stream = opened(gateway, "/hold?pile")
    stream.expect(f.WS_MESSAGE)
    gateway.send(f.frame(f.WS_MESSAGE, f.FLAG_TEXT, stream.number) * 5000)
    assert stream.expect(f.WS_CLOSE).status == 1008
    gateway.websocket("/release?pile")
    stream.expect_done()


def test_credit_comes_as_the_app_takes(gateway: Gateway, instance: Instance) -> None:
    stream = opened(gateway, "/hold?credit")
    stream.expect(f.WS_MESSAGE)
    for _ in range(4):
        stream.text("m" * (WINDOW // 4))
    gateway.websocket("/release?credit")
    for _ in range(2):
        amount = int.from_bytes(stream.expect(f.CREDIT).payload, "big")
        assert amount == WINDOW // 2
    stream.reset()
    stream.expect_done()


def test_what_came_before_a_close_can_still_be_read(gateway: Gateway, instance: Instance) -> None:
    stream = opened(gateway, "/hold?buffer")
    stream.expect(f.WS_MESSAGE)
    stream.text("one")
    stream.text("two")
    gateway.send(f.close(stream.number, 4000, "why"))
    gateway.websocket("/release?buffer")
    stream.expect_done()
    line = instance.wait_log("held: ['one', 'two', 'websocket.disconnect']")
    assert "'code': 4000, 'reason': 'why'" in line


def test_subprotocol_close_and_send_after_close(gateway: Gateway, instance: Instance) -> None:
    stream = gateway.websocket("/protocol", [("sec-websocket-protocol", "chat, superchat")])
    accept = stream.expect(f.WS_ACCEPT)
    assert accept.payload == b"superchat\0x-a\0" + b"1"
    close = stream.expect(f.WS_CLOSE)
    assert (close.status, close.payload[2:].decode()) == (3001, "bye ü")
    stream.gateway.send(f.close(stream.number, 3001, ""))
    stream.expect_done()
    instance.wait_log("closed: " + repr({"type": "websocket.disconnect", "code": 3001, "reason": "bye ü"}))
    instance.wait_log("after close: ClientDisconnected")


def test_wrong_messages_raise_into_the_app(gateway: Gateway) -> None:
    stream = gateway.websocket("/wrong", [("sec-websocket-protocol", "a")])
    stream.expect(f.WS_ACCEPT)
    assert stream.expect(f.WS_MESSAGE).payload.decode().split() == [
        *("RuntimeError", "ValueError", "ValueError", "RuntimeError"),
        *("RuntimeError", "ValueError", "ValueError", "ValueError", "TypeError", "TypeError"),
        *("ValueError", "ValueError", "RuntimeError"),
    ]


def test_empty_messages_of_the_app(gateway: Gateway) -> None:
    stream = opened(gateway, "/empty")
    frames = [stream.expect(f.WS_MESSAGE) for _ in range(3)]
    assert [(frame.payload, frame.flags) for frame in frames] == [(b"", f.FLAG_TEXT), (b"", 0), (b"a", 0)]


def test_close_before_accept_is_403(gateway: Gateway, instance: Instance) -> None:
    answer = gateway.websocket("/refuse").answer()
    assert (answer.status, answer.body) == (403, b"")
    instance.wait_log("refused: websocket.disconnect")


def test_denial_response(gateway: Gateway, instance: Instance) -> None:
    answer = gateway.websocket("/deny").answer()
    assert (answer.status, answer.body, answer.header(b"x")) == (401, b"no entry", b"1")
    instance.wait_log("denied is denied")
    assert gateway.websocket("/deny_empty").answer().status == 404
    assert gateway.websocket("/deny_start_only").answer().status == 500
    assert gateway.websocket("/deny_partial").answer().reset == f.RESET_INCOMPLETE


def test_apps_that_fail(gateway: Gateway) -> None:
    assert gateway.websocket("/raise_early").answer().status == 500
    assert gateway.websocket("/silent").answer().status == 500
    stream = opened(gateway, "/raise_late")
    assert stream.expect(f.WS_CLOSE).status == 1011
    stream.expect_done()
    stream = opened(gateway, "/leave")
    assert stream.expect(f.WS_CLOSE).status == 1000
    stream.expect_done()


def test_a_client_that_is_gone(gateway: Gateway, instance: Instance) -> None:
    stream = opened(gateway, "/hold?gone")
    stream.expect(f.WS_MESSAGE)
    stream.reset()
    gateway.websocket("/release?gone")
    stream.expect_done()
    instance.wait_log("held: ['websocket.disconnect'] " + repr({"type": "websocket.disconnect", "code": 1006, "reason": ""}))
    waiting = gateway.websocket("/undecided")
    waiting.reset()
    waiting.expect_done()
    instance.wait_log("undecided: " + repr({"type": "websocket.disconnect", "code": 1006, "reason": ""}))


def test_send_waits_for_credit_and_raises_when_the_client_goes(gateway: Gateway, instance: Instance) -> None:
    stream = opened(gateway, "/flood")
    got = 0
    while got < WINDOW:
        got += len(stream.expect(f.WS_MESSAGE).payload)
    assert got == WINDOW
    stream.credit(100)
    assert len(stream.expect(f.WS_MESSAGE).payload) == 100
    stream.reset()
    stream.expect_done()
    instance.wait_log("flood: ClientDisconnected")
    assert not [line for line in instance.log() if "flood" in line and "Traceback" in line]


@pytest.mark.parametrize("name", ["message before accept", "close before accept", "data", "not UTF-8", "beyond the window"])
def test_a_bad_frame_ends_that_connection_only(instance: Instance, gateway: Gateway, name: str) -> None:
    with instance.connect(gateway=5) as bad:
        pending = bad.websocket("/undecided")
        stream = opened(bad, "/echo")
        bad.send(
            {
                "message before accept": f.frame(f.WS_MESSAGE, 2, pending.number, b"x"),
                "close before accept": f.close(pending.number, 1000, ""),
                "data": f.frame(f.DATA, 0, stream.number, b"x"),
                "not UTF-8": f.frame(f.WS_MESSAGE, 2, stream.number, b"\xff"),
                "beyond the window": f.frame(f.WS_MESSAGE, 0, stream.number, b"x" * (WINDOW + 1)),
            }[name]
        )
        assert bad.closed_by_worker()
    assert gateway.websocket("/refuse").answer().status == 403


def test_shutdown_closes_with_1012(shared: Platform) -> None:
    one = shared.start("ws_app.py", APP, lifespan="off", logs=True)
    with one.connect() as gateway:
        stream = opened(gateway, "/echo")
        pending = gateway.websocket("/undecided")
        assert gateway.websocket("/refuse").answer().status == 403
        one.tell("disconnect")
        assert stream.expect(f.WS_CLOSE).status == 1012
        stream.expect_done()
        assert pending.answer().status == 503
        assert "'code': 1012" in one.wait_log("echo: ")
    assert one.stop() == 0
