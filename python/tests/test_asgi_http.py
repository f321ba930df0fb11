"""ASGI over HTTP: scopes, responses, and what happens when an app does not keep the rules."""

from __future__ import annotations

import ast
import importlib.util
from typing import Any, Iterator

import pytest
from harness import Gateway, Instance, Platform

from headrace.worker import frames as f

APP = '''
import asyncio, contextvars, sys
from headrace import request_id

seen = contextvars.ContextVar("seen", default=None)
HANDLERS = {}

def on(path):
    return lambda function: HANDLERS.setdefault(path, function)

async def app(scope, receive, send):
    return await HANDLERS[scope["path"].partition(";")[0]](scope, receive, send)

async def start(send, status=200, headers=(), **more):
    await send({"type": "http.response.start", "status": status, "headers": headers, **more})

async def body(send, data=b"", more=False):
    await send({"type": "http.response.body", "body": data, "more_body": more})

async def text(send, value):
    data = value.encode()
    await start(send, headers=[(b"content-type", b"text/plain")])
    await body(send, data)

@on("/scope")
async def scope_(scope, receive, send):
    assert type(scope) is dict and type(scope["asgi"]) is dict and type(scope["headers"]) is list
    await text(send, repr(scope))

@on("/hello")
async def hello(scope, receive, send):
    await text(send, "hello")

@on("/headers")
async def headers(scope, receive, send):
    await start(send, 201, ((n, v) for n, v in [(b"X-A", b"1"), (b"set-cookie", b"a"), (b"Set-Cookie", b"b"),
        (b"Transfer-Encoding", b"chunked"), (b"connection", b"close")]))
    await body(send, bytearray(b"x"))

@on("/chunks")
async def chunks(scope, receive, send):
    await start(send)
    for part in (b"a", b"", b"b", b"c"):
        await body(send, part, True)
    await body(send)

@on("/length")
async def length(scope, receive, send):
    await start(send, headers=[(b"content-length", b"5")])
    await body(send, b"12", True)
    await body(send, b"345")

@on("/no-content")
async def no_content(scope, receive, send):
    await start(send, int(scope["query_string"]), [(b"content-length", b"5"), (b"etag", b"x")])
    await body(send, b"12345")

@on("/missing-body-key")
async def missing_body(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "extra": 1})
    await send({"type": "http.response.body", "other": 2})

@on("/events")
async def events(scope, receive, send):
    found = [await receive() for _ in range(1)]
    await text(send, repr(found))
    found = [await receive() for _ in range(3)]
    print("after", found, file=sys.stderr)

@on("/waiting")
async def waiting(scope, receive, send):
    await receive()
    other = asyncio.ensure_future(receive())
    await asyncio.sleep(0)
    await text(send, "x")
    print("told", await other, file=sys.stderr)

@on("/raise")
async def raise_(scope, receive, send):
    raise ValueError("an odd error")

@on("/exit")
async def exit_(scope, receive, send):
    raise SystemExit(9)

@on("/raise-held")
async def raise_held(scope, receive, send):
    await start(send, 200, [(b"x", b"1")])
    raise ValueError("held")

@on("/raise-later")
async def raise_later(scope, receive, send):
    await start(send)
    await body(send, b"begin", True)
    raise ValueError("late")

@on("/raise-after")
async def raise_after(scope, receive, send):
    await text(send, "whole")
    raise ValueError("after")

@on("/nothing")
async def nothing(scope, receive, send):
    pass

@on("/partial")
async def partial(scope, receive, send):
    await start(send)
    await body(send, b"part", True)

@on("/only-start")
async def only_start(scope, receive, send):
    await start(send)

@on("/value")
async def value(scope, receive, send):
    await text(send, "v")
    return 5

@on("/background")
async def background(scope, receive, send):
    await text(send, "quick")
    gate = asyncio.Event()
    GATES[scope["query_string"]] = gate
    await gate.wait()

GATES = {}

@on("/open")
async def open_(scope, receive, send):
    GATES[scope["query_string"]].set()
    await text(send, "opened")

@on("/start-then-wait")
async def start_then_wait(scope, receive, send):
    await start(send, headers=[(b"content-type", b"text/event-stream")])
    gate = GATES[scope["query_string"]] = asyncio.Event()
    await gate.wait()
    await body(send, b"event")

@on("/context")
async def context(scope, receive, send):
    before = seen.get()
    seen.set(scope["query_string"].decode())
    await text(send, f"{before} {request_id()} {(await asyncio.to_thread(request_id)) if sys.version_info >= (3, 9) else ''}")

@on("/state")
async def state(scope, receive, send):
    before = dict(scope["state"])
    scope["state"]["mine"] = 1
    scope["extensions"]["mine"] = 1
    await text(send, repr(before))

async def attempt(message, *first):
    pass

@on("/wrong")
async def wrong(scope, receive, send):
    """Sends each wrong message and reports what it raised; then answers properly."""
    out = []
    for message in [{"type": "http.response.body", "body": b"x"}, {"type": "http.nonsense"}, {}, {"type": "websocket.accept"},
            {"type": "http.response.start"}, {"type": "http.response.start", "status": "200"},
            {"type": "http.response.start", "status": 101}, {"type": "http.response.start", "status": 99999},
            {"type": "http.response.start", "status": 200, "headers": [("a", "b")]},
            {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b\\r\\nc: d")]},
            {"type": "http.response.trailers", "headers": []}, {"type": "http.response.pathsend", "path": "/etc/hostname"}]:
        try:
            await send(message)
            out.append("accepted")
        except Exception as error:
            out.append(type(error).__name__)
    await start(send)
    for message in [{"type": "http.response.start", "status": 200}, {"type": "http.response.body", "body": "str"},
            {"type": "http.response.pathsend", "path": "relative"}, {"type": "http.response.pathsend", "path": "/no/such/file"}]:
        try:
            await send(message)
            out.append("accepted")
        except Exception as error:
            out.append(type(error).__name__)
    await body(send, " ".join(out).encode())
    try:
        await body(send, b"more")
    except RuntimeError as error:
        print("late body:", error, file=sys.stderr)

@on("/too-long")
async def too_long(scope, receive, send):
    await start(send, headers=[(b"content-length", b"3")])
    await body(send, b"12", True)
    await asyncio.sleep(0)
    await body(send, b"34")

@on("/too-short")
async def too_short(scope, receive, send):
    await start(send, headers=[(b"content-length", b"9")])
    await body(send, b"12", True)
    await asyncio.sleep(0)
    await body(send, b"34")

@on("/many")
async def many(scope, receive, send):
    await start(send)
    for _ in range(50):
        await body(send, b"chunk;", True)
    await body(send)
'''

LOOPS = ["asyncio", "uvloop"] if importlib.util.find_spec("uvloop") else ["asyncio"]


@pytest.fixture(scope="module", params=LOOPS)
def instance(request: Any, shared: Platform) -> Iterator[Instance]:
    one = shared.start("asgi_app.py", APP, loop=request.param, logs=True, table=True)
    yield one
    assert one.stop() == 0


@pytest.fixture
def gateway(instance: Instance) -> Iterator[Gateway]:
    with instance.connect() as one:
        yield one


def scope_of(gateway: Gateway, target: Any, **options: Any) -> Any:
    return ast.literal_eval(gateway.get(target, **options).body.decode())


def test_scope(gateway: Gateway) -> None:
    scope = scope_of(gateway, "/scope?a=1&b=%20", headers=[("host", "h"), ("x", "1"), ("y", "é"), ("x", "2")])
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/scope",
        "raw_path": b"/scope",
        "query_string": b"a=1&b=%20",
        "root_path": "",
        "headers": [(b"host", b"h"), (b"x", b"1"), (b"y", b"\xe9"), (b"x", b"2")],
        "client": ("192.0.2.7", 40000),
        "server": ("127.0.0.1", 8080),
        "state": {},
        "extensions": {"http.response.pathsend": {}, "http.response.early_hint": {}},
    }


def test_scope_of_encoded_paths(gateway: Gateway) -> None:
    scope = scope_of(gateway, b"/scope%3B%C3%BC%2F%FF;%41?\xff")
    assert scope["path"] == "/scope;ü/\ufffd;A"
    assert scope["raw_path"] == b"/scope%3B%C3%BC%2F%FF;%41"
    assert scope["query_string"] == b"\xff"


def test_scope_of_versions_schemes_and_unix_clients(gateway: Gateway) -> None:
    scope = scope_of(gateway, "/scope", flags=f.FLAG_HTTP10 | f.FLAG_TLS, peers=b"  /run/gate.sock ")
    assert (scope["http_version"], scope["scheme"], scope["client"]) == ("1.0", "https", None)
    assert scope["server"] == ("/run/gate.sock", None)
    assert "tls" not in scope["extensions"]
    scope = scope_of(gateway, "/scope", flags=f.FLAG_HTTP2 | f.FLAG_TLS, tls="772 4865")
    assert scope["http_version"] == "2"
    assert scope["extensions"]["tls"]["tls_version"] == 772
    assert "http.response.trailers" in scope["extensions"]
    assert scope_of(gateway, "http://host/scope?x")["path"] == "/scope"


def test_trailers_are_offered_when_the_client_takes_them(gateway: Gateway) -> None:
    for value, offered in (("trailers", True), ("gzip, Trailers", True), ("gzip", False)):
        scope = scope_of(gateway, "/scope", headers=[("te", value)])
        assert ("http.response.trailers" in scope["extensions"]) is offered


def test_head_body_end_and_done_come_together(gateway: Gateway) -> None:
    answer = gateway.get("/hello")
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.headers == [(b"content-type", b"text/plain")]
    head, body = answer.frames
    assert (head.type, head.flags) == (f.RESPONSE, 0)
    assert (body.type, body.flags) == (f.DATA, f.FLAG_END | f.FLAG_DONE)


def test_headers_of_a_generator(gateway: Gateway) -> None:
    answer = gateway.get("/headers")
    assert answer.status == 201 and answer.body == b"x"
    assert answer.headers == [(b"x-a", b"1"), (b"set-cookie", b"a"), (b"set-cookie", b"b")]


def test_chunks(gateway: Gateway) -> None:
    answer = gateway.get("/chunks")
    assert answer.body == b"abc" and answer.reset is None
    assert gateway.get("/length").body == b"12345"
    assert gateway.get("/missing-body-key").body == b""
    assert gateway.get("/many").body == b"chunk;" * 50


def test_head_has_headers_and_no_body(gateway: Gateway) -> None:
    answer = gateway.request("HEAD", "/length").answer()
    assert answer.header(b"content-length") == b"5"
    assert [frame for frame in answer.frames if frame.payload and frame.type == f.DATA] == []
    assert answer.reset is None


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_body(gateway: Gateway, status: int) -> None:
    answer = gateway.get(f"/no-content?{status}")
    assert (answer.status, answer.body, answer.reset) == (status, b"", None)
    assert answer.header(b"etag") == b"x"


def test_receive_after_the_body_and_after_the_response(gateway: Gateway, instance: Instance) -> None:
    answer = gateway.get("/events")
    assert ast.literal_eval(answer.body.decode()) == [{"type": "http.request", "body": b"", "more_body": False}]
    line = instance.wait_log("after")
    assert line.endswith("after " + repr([{"type": "http.disconnect"}] * 3))


def test_a_waiting_receive_is_told_of_the_end(gateway: Gateway, instance: Instance) -> None:
    assert gateway.get("/waiting").body == b"x"
    assert "http.disconnect" in instance.wait_log("told")


def test_an_exception_is_a_500_and_logged_once(gateway: Gateway, instance: Instance) -> None:
    answer = gateway.get("/raise", request_id="req-raise")
    assert (answer.status, answer.body, answer.reset) == (500, b"Internal Server Error", None)
    instance.wait_log("ValueError: an odd error")
    gateway.get("/raise-after", request_id="later")
    instance.wait_log("ValueError: after")
    lines = instance.log()
    assert len([line for line in lines if line.endswith("ValueError: an odd error")]) == 1
    assert instance.wait_log("ValueError: an odd error").startswith("\x1ereq-raise\x1f")
    assert not [line for line in lines if "headrace/worker" in line]
    assert gateway.request("HEAD", "/raise").answer().body == b""


def test_sys_exit_ends_the_request_only(gateway: Gateway) -> None:
    assert gateway.get("/exit").status == 500
    assert gateway.get("/hello").body == b"hello"


def test_an_exception_before_the_head_has_left_replaces_it(gateway: Gateway) -> None:
    answer = gateway.get("/raise-held")
    assert answer.status == 500 and answer.header(b"x") is None


def test_an_exception_in_the_body_cuts_it(gateway: Gateway) -> None:
    answer = gateway.get("/raise-later")
    assert (answer.status, answer.body, answer.reset) == (200, b"begin", f.RESET_APP_ERROR)
    assert not [frame for frame in answer.frames if frame.end]


def test_an_exception_after_the_response_does_not_harm_it(gateway: Gateway, instance: Instance) -> None:
    answer = gateway.get("/raise-after")
    assert (answer.status, answer.body, answer.reset) == (200, b"whole", None)
    instance.wait_log("ValueError: after")


def test_no_response_is_a_500(gateway: Gateway, instance: Instance) -> None:
    assert gateway.get("/nothing").status == 500
    instance.wait_log("without a response")


@pytest.mark.parametrize("path", ["/partial", "/only-start"])
def test_an_incomplete_response_is_reset(gateway: Gateway, path: str) -> None:
    answer = gateway.get(path)
    assert answer.reset == f.RESET_INCOMPLETE
    assert not [frame for frame in answer.frames if frame.end]


def test_a_returned_value_is_reported(gateway: Gateway, instance: Instance) -> None:
    assert gateway.get("/value").body == b"v"
    instance.wait_log("returned int, not None")


def test_background_work_keeps_the_stream_open(gateway: Gateway) -> None:
    stream = gateway.request("GET", "/background?b1")
    assert stream.expect(f.RESPONSE).status == 200
    data = stream.expect(f.DATA)
    assert data.end and not data.done
    assert gateway.get("/open?b1").body == b"opened"
    stream.expect_done()


def test_a_head_leaves_when_the_app_waits(gateway: Gateway) -> None:
    stream = gateway.request("GET", "/start-then-wait?s1")
    assert stream.expect(f.RESPONSE).flags == 0
    assert gateway.get("/open?s1").body == b"opened"
    data = stream.expect(f.DATA)
    assert data.payload == b"event" and data.end and data.done


def test_each_request_has_its_own_context(gateway: Gateway) -> None:
    assert gateway.get("/context?one", request_id="r-1").body == b"None r-1 r-1"
    assert gateway.get("/context?two", request_id="r-2").body == b"None r-2 r-2"


def test_state_and_extensions_are_copies(gateway: Gateway) -> None:
    assert gateway.get("/state").body == b"{}"
    assert gateway.get("/state").body == b"{}"
    assert "mine" not in scope_of(gateway, "/scope")["extensions"]


def test_wrong_messages_raise_into_the_app(gateway: Gateway, instance: Instance) -> None:
    answer = gateway.get("/wrong")
    assert answer.body.decode().split() == [
        *("RuntimeError", "RuntimeError", "KeyError", "RuntimeError"),
        *("KeyError", "TypeError", "ValueError", "ValueError", "TypeError", "ValueError", "RuntimeError", "RuntimeError"),
        *("RuntimeError", "TypeError", "ValueError", "FileNotFoundError"),
    ]
    assert answer.reset is None
    instance.wait_log("late body: unexpected")


@pytest.mark.parametrize("path", ["/too-long", "/too-short"])
def test_content_length_is_kept(gateway: Gateway, instance: Instance, path: str) -> None:
    answer = gateway.get(path)
    assert (answer.body, answer.reset) == (b"12", f.RESET_APP_ERROR)
    instance.wait_log(f"{path[5:]}er than its content-length")


def test_many_streams_of_one_connection(gateway: Gateway) -> None:
    streams = [gateway.request("GET", "/hello") for _ in range(300)]
    for stream in reversed(streams):
        assert stream.answer().body == b"hello"


def test_the_begun_mark_follows_the_streams(instance: Instance) -> None:
    with instance.connect(column=3) as gateway:
        for number in (1, 2, 3):
            gateway.get("/hello")
            assert instance.platform.mark(3) == number
    with instance.connect(column=1023) as gateway:
        gateway.get("/hello")
        assert instance.platform.mark(1023) == 1
    with instance.connect(column=60000) as gateway:
        assert gateway.get("/hello").status == 200
