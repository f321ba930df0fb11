"""PEP 3333, item by item, over real workers and real frames."""

from __future__ import annotations

import json
from typing import Any, Iterator

import pytest
from harness import Gateway, Instance, Platform

from headrace.worker import frames as f

APP = """
import io, json, sys, threading
from wsgiref.validate import validator

gate = threading.Event()
closed = []
EVENTS = {}


def app(environ, start_response):
    name = environ["PATH_INFO"].strip("/").replace("/", "_") or "root"
    return globals()["do_" + name](environ, start_response)


def text(start_response, body, status="200 OK", headers=()):
    start_response(status, [("Content-Type", "text/plain"), *headers])
    return [body]


def do_root(environ, start_response):
    return text(start_response, b"hello")


def show(environ):
    return json.dumps({
        "exact": type(environ) is dict,
        "types": {k: type(v).__name__ for k, v in environ.items() if "." not in k},
        **{k: v for k, v in environ.items() if isinstance(v, (str, bool, list, tuple))},
    }).encode()


def do_environ(environ, start_response):
    return text(start_response, show(environ))

do_environ_sub = do_environ


class Closing:
    def __init__(self, name, parts):
        self.name, self.parts = name, iter(parts)
    def __iter__(self):
        return self
    def __next__(self):
        return next(self.parts)
    def close(self):
        closed.append(self.name)


def do_closed(environ, start_response):
    return text(start_response, json.dumps(closed).encode())


def do_validated(environ, start_response):
    def inner(environ, start_response):
        body = environ["wsgi.input"].read(5) + environ["wsgi.input"].read(100000)
        environ["wsgi.errors"].write("noted\\n")
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return [body]
    return validator(inner)(environ, start_response)


def do_read(environ, start_response):
    stream = environ["wsgi.input"]
    out = [stream.readline(), stream.readline(3), stream.read(4), stream.readlines(1), list(stream), stream.read(),
           stream.read(5), stream.readline(), stream.readlines()]
    return text(start_response, repr(out).encode())


def do_echo(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    def parts():
        while True:
            part = environ["wsgi.input"].read(10000)
            if not part:
                return
            yield part
    return parts()


def do_sum(environ, start_response):
    total = 0
    while True:
        part = environ["wsgi.input"].read(65536)
        if not part:
            return text(start_response, str(total).encode())
        total += len(part)


def do_write(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"one,")
    write(b"")
    write(b"two,")
    return Closing("write", [b"three"])


def do_write_past(environ, start_response):
    write = start_response("200 OK", [("Content-Length", "4")])
    write(b"abc")
    try:
        write(b"def")
    except ValueError as error:
        closed.append("refused: " + str(error))
    return []


def do_twice(environ, start_response):
    start_response("200 OK", [])
    try:
        start_response("200 OK", [])
    except AssertionError as error:
        return text(lambda s, h: start_response(s, h, sys_exc()), str(error).encode())


def sys_exc():
    try:
        raise RuntimeError("x")
    except RuntimeError:
        return sys.exc_info()


def do_replace(environ, start_response):
    start_response("200 OK", [("X-Old", "1"), ("Content-Length", "999")])
    def parts():
        yield b""
        start_response("500 Changed", [("X-New", "1")], sys_exc())
        yield b"replaced"
    return parts()


def do_late(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    def parts():
        yield b"begun"
        try:
            raise KeyError("mine")
        except KeyError:
            start_response("500 Late", [], sys.exc_info())
        yield b"never"
    return Closing("late", parts())


def do_lazy(environ, start_response):
    def parts():
        start_response("201 Created", [("X-Lazy", "yes")])
        yield b"lazy"
    return parts()


def do_held(environ, start_response):
    start_response("200 OK", [])
    def parts():
        yield b""
        yield b""
        gate.wait(60)
        yield b"first"
    return parts()


def do_gate(environ, start_response):
    gate.set()
    return text(start_response, b"open")


def do_steps(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    event = EVENTS.setdefault(environ["QUERY_STRING"], threading.Semaphore(0))
    def parts():
        for n in range(3):
            yield b"data: %d\\n\\n" % n
            event.acquire(timeout=60)
    return Closing("steps", parts())


def do_step(environ, start_response):
    EVENTS.setdefault(environ["QUERY_STRING"], threading.Semaphore(0)).release()
    return text(start_response, b"")


def do_empty(environ, start_response):
    start_response("200 OK", [("X-A", "1")])
    return []


def do_list2(environ, start_response):
    start_response("200 OK", [])
    return [b"ab", b"cd"]


def do_list1(environ, start_response):
    start_response("200 OK", [])
    return (b"abcd",)


def do_long(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    def parts():
        yield b"abc"
        yield b"defg"
        closed.append("asked too often")
        yield b"h"
    return Closing("long", parts())


def do_short(environ, start_response):
    start_response("200 OK", [("Content-Length", "10")])
    return Closing("short", [b"abc"])


def do_short_empty(environ, start_response):
    start_response("200 OK", [("Content-Length", "10")])
    return []


def do_nothing(environ, start_response):
    start_response("204 No Content", [("Content-Length", "3"), ("X-A", "1")])
    return [b"abc"]


def do_unchanged(environ, start_response):
    start_response("304 Not Modified", [("Content-Length", "3"), ("ETag", "x")])
    return [b"abc"]


def do_header(environ, start_response):
    given = json.loads(environ["wsgi.input"].read())
    start_response(given["status"], [tuple(pair) for pair in given["headers"]])
    return [b"fine"]


def do_types(environ, start_response):
    what = environ["QUERY_STRING"]
    if what == "tuple":
        start_response("200 OK", (("A", "b"),))
    elif what == "bytes":
        start_response(b"200 OK", [])
    elif what == "name":
        start_response("200 OK", [(b"a", "b")])
    elif what == "value":
        start_response("200 OK", [("a", 1)])
    elif what == "str":
        start_response("200 OK", [])
        return ["text"]
    elif what == "none":
        start_response("200 OK", [])
        return None
    elif what == "keyword":
        start_response(status="200 OK", headers=[])
    elif what == "never":
        return [b"abc"]
    elif what == "never-empty":
        return []
    return [b"fine"]


def do_raise(environ, start_response):
    name = environ["QUERY_STRING"]
    kind = {"SystemExit": SystemExit, "KeyboardInterrupt": KeyboardInterrupt, "StopIteration": StopIteration,
            "ValueError": ValueError}.get(name) or type(name, (BaseException,), {})
    raise kind("planned")


def do_raise_mid(environ, start_response):
    start_response("200 OK", [])
    def parts():
        yield b"some"
        raise ValueError("planned in the middle")
    return Closing("raise_mid", parts())


def do_raise_close(environ, start_response):
    class Bad(Closing):
        def close(self):
            super().close()
            raise ValueError("planned in close")
    start_response("200 OK", [])
    return Bad("raise_close", [b"ok"])


def do_forever(environ, start_response):
    start_response("200 OK", [])
    gone = environ["headrace.disconnected"]
    def parts():
        yield b"x"
        while not gone():
            EVENTS.setdefault("forever", threading.Event()).wait(0.01)
            yield b""
        closed.append("gone seen")
        yield b"more"
        closed.append("never reached")
    return Closing("forever", parts())


def do_flood(environ, start_response):
    write = start_response("200 OK", [])
    try:
        while True:
            write(b"x" * 30000)
    except OSError as error:
        closed.append("write raised " + type(error).__name__)
        raise


def do_starved(environ, start_response):
    try:
        environ["wsgi.input"].read()
    except OSError as error:
        closed.append("read raised " + type(error).__name__)
    return text(start_response, b"")


def do_big(environ, start_response):
    start_response("200 OK", [("Content-Length", "3000000")])
    return [bytes(range(250)) * 12000]


def do_log(environ, start_response):
    print("noted by print")
    environ["wsgi.errors"].write("noted by errors \\u20ac\\n")
    environ["wsgi.errors"].writelines(["more ", "lines\\n"])
    environ["wsgi.errors"].flush()
    return text(start_response, b"")


import contextvars
seen = contextvars.ContextVar("seen", default=0)


def do_context(environ, start_response):
    before = seen.get()
    seen.set(before + 1)
    return text(start_response, str(before).encode())


barrier = threading.Barrier(8)


def do_together(environ, start_response):
    barrier.wait(60)
    return text(start_response, b"together")
"""


@pytest.fixture(scope="module")
def instance(shared: Platform) -> Instance:
    return shared.start("app.py:app", APP, interface="wsgi", concurrency=8, logs=True, table=True)


@pytest.fixture
def gateway(instance: Instance) -> Iterator[Gateway]:
    with instance.connect() as one:
        yield one


def closed(gateway: Gateway) -> Any:
    return gateway.get("/closed").json()


def types(answer: Any) -> "list[int]":
    return [frame.type for frame in answer.frames]


def test_simple(gateway: Gateway) -> None:
    answer = gateway.get("/")
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.headers == [(b"content-type", b"text/plain"), (b"content-length", b"5")]
    assert types(answer) == [f.RESPONSE, f.DATA, f.DONE]


# environ


def test_environ(gateway: Gateway) -> None:
    answer = gateway.get(
        "/environ?a=b%20c",
        [
            ("host", "shop.example:8443"),
            ("x-thing", "caf\xe9"),
            ("accept", "a"),
            ("accept", "b"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("content-type", "text/x"),
            ("x_thing", "spoofed"),
            ("content_length", "7"),
        ],
    )
    env = answer.json()
    assert env["exact"] is True
    assert set(env["types"].values()) == {"str"}
    assert env["REQUEST_METHOD"] == "GET"
    assert env["PATH_INFO"] == "/environ"
    assert env["SCRIPT_NAME"] == ""
    assert env["QUERY_STRING"] == "a=b%20c"
    assert env["REQUEST_URI"] == env["RAW_URI"] == "/environ?a=b%20c"
    assert env["SERVER_PROTOCOL"] == "HTTP/1.1"
    assert (env["SERVER_NAME"], env["SERVER_PORT"]) == ("127.0.0.1", "8080")
    assert (env["REMOTE_ADDR"], env["REMOTE_PORT"]) == ("192.0.2.7", "40000")
    assert env["HTTP_X_THING"] == "caf\xe9"
    assert env["HTTP_ACCEPT"] == "a,b"
    assert env["HTTP_COOKIE"] == "a=1; b=2"
    assert env["HTTP_HOST"] == "shop.example:8443"
    assert env["CONTENT_TYPE"] == "text/x"
    assert "CONTENT_LENGTH" not in env
    assert not [key for key in env if key.startswith("HTTP_CONTENT_")]
    assert env["wsgi.version"] == [1, 0]
    assert env["wsgi.url_scheme"] == "http"
    assert env["wsgi.multithread"] is True
    assert env["wsgi.multiprocess"] is True
    assert env["wsgi.run_once"] is False
    assert env["wsgi.input_terminated"] is True
    assert env["headrace.request_id"] == "request-1"
    assert "HTTPS" not in env


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/environ", "/environ", ""),
        (b"/%65nviron?", "/environ", ""),
        (b"/environ/sub", "/environ/sub", ""),
        (b"/environ?x=/?&y", "/environ", "x=/?&y"),
        (b"http://h:1/environ?q", "/environ", "q"),
        (b"/environ%2Fsub", "/environ/sub", ""),
    ],
)
def test_path(gateway: Gateway, target: bytes, path: str, query: str) -> None:
    env = gateway.get(target).json()
    assert (env["PATH_INFO"], env["QUERY_STRING"], env["RAW_URI"]) == (path, query, target.decode())


def test_versions_and_tls(gateway: Gateway) -> None:
    assert gateway.get("/environ", flags=f.FLAG_HTTP10).json()["SERVER_PROTOCOL"] == "HTTP/1.0"
    env = gateway.get("/environ", flags=f.FLAG_HTTP2 | f.FLAG_TLS, tls="772 4865").json()
    assert env["SERVER_PROTOCOL"] == "HTTP/2.0"
    assert (env["wsgi.url_scheme"], env["HTTPS"]) == ("https", "on")


def test_unix_socket_peers(gateway: Gateway) -> None:
    env = gateway.get("/environ", [("host", "shop.example:81")], peers=b"  /run/shop.sock 0").json()
    assert env["REMOTE_ADDR"] == ""
    assert (env["SERVER_NAME"], env["SERVER_PORT"]) == ("shop.example", "81")
    env = gateway.get("/environ", [("host", "shop.example")], peers=b"   ").json()
    assert (env["SERVER_NAME"], env["SERVER_PORT"]) == ("shop.example", "80")
    env = gateway.get("/environ", peers=b"   ", flags=f.FLAG_TLS).json()
    assert env["SERVER_NAME"]
    assert env["SERVER_PORT"] == "443"


def test_root_path(platform: Platform) -> None:
    instance = platform.start(
        "app.py:app", APP.replace('["PATH_INFO"].strip', '["PATH_INFO"].strip'), root_path="/mount/", concurrency=1
    )
    with instance.connect() as gateway:
        env = gateway.get("/mount/environ").json()
        assert (env["SCRIPT_NAME"], env["PATH_INFO"]) == ("/mount", "/environ")
        # A proxy that has cut the prefix off already
        env = gateway.get("/environ").json()
        assert (env["SCRIPT_NAME"], env["PATH_INFO"]) == ("/mount", "/environ")
        assert env["wsgi.multithread"] is False
        assert gateway.get("/mountain").status == 500  # not cut to "ain"
        assert gateway.get("/mount").body == b"hello"


def test_validate(instance: Instance, gateway: Gateway) -> None:
    answer = gateway.post("/validated?x=%2F", b"0123456789", [("content-type", "text/plain"), ("host", "x"), ("cookie", "a=1")])
    assert (answer.status, answer.body) == (200, b"0123456789")
    assert gateway.get("/validated").status == 200
    assert gateway.request("HEAD", "/validated").answer().status == 200
    assert "noted" in instance.wait_log("noted")


# wsgi.input


def test_input_methods(gateway: Gateway) -> None:
    answer = gateway.post("/read", b"one\ntwo\nthree\nfour\nfive\nsix")
    assert answer.body.decode() == repr(
        [b"one\n", b"two", b"\nthr", [b"ee\n"], [b"four\n", b"five\n", b"six"], b"", b"", b"", []]
    )


def test_input_in_pieces(gateway: Gateway) -> None:
    stream = gateway.request("POST", "/read", body=None)
    for piece in (b"on", b"e", b"\ntw", b"o\nthree\nfo", b"", b"ur\nfive\ns", b"ix"):
        stream.data(piece)
    stream.data(b"", end=True)
    assert stream.answer().body.decode() == repr(
        [b"one\n", b"two", b"\nthr", [b"ee\n"], [b"four\n", b"five\n", b"six"], b"", b"", b"", []]
    )


def test_input_streams_and_grants_credit(gateway: Gateway) -> None:
    stream = gateway.request("POST", "/sum", body=None)
    credit, sent = gateway.window, 0
    piece = bytes(16384)
    for _ in range(40):
        while credit < len(piece):
            credit += f.unpack_u32(stream.expect(f.CREDIT).payload)
        stream.data(piece)
        credit -= len(piece)
        sent += len(piece)
    stream.data(b"", end=True)
    answer = stream.answer()
    assert answer.body == str(sent).encode()
    assert types(answer).count(f.CREDIT) <= 40


def test_input_and_output_at_once(gateway: Gateway) -> None:
    stream = gateway.request("POST", "/echo", body=None)
    stream.data(b"a" * 10000)
    assert stream.expect(f.RESPONSE).status == 200
    assert stream.expect(f.DATA).payload == b"a" * 10000
    stream.data(b"b" * 5000, end=True)
    assert stream.expect(f.DATA).payload == b"b" * 5000
    assert stream.expect(f.DATA).end
    stream.expect_done()


def test_continue_is_lazy(gateway: Gateway) -> None:
    stream = gateway.request("POST", "/sum", body=None, flags=f.FLAG_EXPECT)
    assert f.unpack_u32(stream.expect(f.CREDIT).payload) == gateway.window
    stream.data(b"abc", end=True)
    assert stream.answer().body == b"3"
    answer = gateway.request("POST", "/", body=None, flags=f.FLAG_EXPECT).answer()
    assert f.CREDIT not in types(answer)
    assert answer.body == b"hello"


# start_response, write, iteration


def test_write(gateway: Gateway) -> None:
    answer = gateway.get("/write")
    assert answer.body == b"one,two,three"
    assert answer.header(b"content-length") is None
    assert [frame.payload for frame in answer.frames if frame.type == f.DATA] == [b"one,", b"two,", b"three", b""]
    assert "write" in closed(gateway)


def test_write_past_content_length(gateway: Gateway) -> None:
    answer = gateway.get("/write/past")
    assert (answer.status, answer.body, answer.reset) == (200, b"abcd", None)
    assert "refused: write() past the declared content-length" in closed(gateway)


def test_start_response_twice(gateway: Gateway) -> None:
    answer = gateway.get("/twice")
    assert (answer.status, answer.body) == (200, b"start_response was called a second time without exc_info")


def test_start_response_replaced(gateway: Gateway) -> None:
    answer = gateway.get("/replace")
    assert (answer.status, answer.body) == (500, b"replaced")
    assert answer.headers == [(b"x-new", b"1")]


def test_start_response_too_late(instance: Instance, gateway: Gateway) -> None:
    answer = gateway.get("/late")
    assert (answer.status, answer.body, answer.reset) == (200, b"begun", f.RESET_APP_ERROR)
    assert "late" in closed(gateway)
    instance.wait_log("KeyError: 'mine'")


def test_start_response_lazily(gateway: Gateway) -> None:
    answer = gateway.get("/lazy")
    assert (answer.status, answer.header(b"x-lazy"), answer.body) == (201, b"yes", b"lazy")


def test_headers_are_held(gateway: Gateway) -> None:
    stream = gateway.request("GET", "/held")
    assert gateway.get("/").body == b"hello"
    assert not gateway._frames.get(stream.number)  # nothing but empty chunks so far
    assert gateway.get("/gate").body == b"open"
    assert stream.answer().body == b"first"


def test_no_buffering(gateway: Gateway) -> None:
    stream = gateway.request("GET", "/steps?a")
    assert stream.expect(f.RESPONSE).status == 200
    for number in range(3):
        assert stream.expect(f.DATA).payload == b"data: %d\n\n" % number
        assert gateway.get("/step?a").status == 200
    assert stream.expect(f.DATA).end
    stream.expect_done()
    assert "steps" in closed(gateway)


def test_empty(gateway: Gateway) -> None:
    answer = gateway.get("/empty")
    assert (answer.status, answer.headers) == (200, [(b"x-a", b"1"), (b"content-length", b"0")])
    assert types(answer) == [f.RESPONSE, f.DONE]


def test_lists(gateway: Gateway) -> None:
    assert gateway.get("/list1").header(b"content-length") == b"4"
    answer = gateway.get("/list2")
    assert (answer.body, answer.header(b"content-length")) == (b"abcd", None)


def test_too_long(gateway: Gateway) -> None:
    answer = gateway.get("/long")
    assert (answer.status, answer.body, answer.reset) == (200, b"abcde", None)
    seen = closed(gateway)
    assert seen.count("long") == 1
    assert "asked too often" not in seen


def test_too_short(instance: Instance, gateway: Gateway) -> None:
    answer = gateway.get("/short")
    assert (answer.status, answer.body, answer.reset) == (200, b"abc", f.RESET_INCOMPLETE)
    assert closed(gateway).count("short") == 1
    instance.wait_log("7 bytes less than its content-length")
    assert gateway.get("/short/empty").status == 500


def test_head(gateway: Gateway) -> None:
    for path, length in (("/list1", b"4"), ("/long", b"5"), ("/short", b"10"), ("/big", b"3000000"), ("/list2", None)):
        answer = gateway.request("HEAD", path).answer()
        assert (answer.status, answer.body, answer.header(b"content-length")) == (200, b"", length), path
        assert types(answer) == [f.RESPONSE, f.DONE], path
        assert answer.frames[0].end
    assert gateway.request("HEAD", "/write").answer().body == b""
    assert gateway.request("HEAD", "/raise?ValueError").answer().status == 500


def test_no_body_statuses(gateway: Gateway) -> None:
    answer = gateway.get("/nothing")
    assert (answer.status, answer.body, answer.headers) == (204, b"", [(b"x-a", b"1")])
    answer = gateway.get("/unchanged")
    assert (answer.status, answer.body, answer.header(b"content-length")) == (304, b"", b"3")


def header(gateway: Gateway, status: str, *headers: "tuple[str, str]") -> int:
    return gateway.post("/header", json.dumps({"status": status, "headers": headers}).encode()).status


@pytest.mark.parametrize(
    "name",
    ["Connection", "keep-alive", "Proxy-Authenticate", "proxy-authorization", "TE", "trailers", "Transfer-Encoding", "upgrade"],
)
def test_hop_by_hop(gateway: Gateway, name: str) -> None:
    body = json.dumps({"status": "200 OK", "headers": [(name, "x"), ("x-kept", "1")]}).encode()
    answer = gateway.post("/header", body)
    assert answer.status == 200
    assert (answer.header(name.lower().encode()), answer.header(b"x-kept")) == (None, b"1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "x"),
        ("a b", "x"),
        ("a:", "x"),
        ("a\n", "x"),
        ("\xe9", "x"),
        ("a", "b\r\nc: d"),
        ("a", "b\nc"),
        ("a", "b\0c"),
        ("a", "\x0b"),
        ("a", "\x1c"),
        ("a", "\x7f"),
        ("a", "\u20ac"),
        ("content-length", "x"),
        ("content-length", "+5"),
        ("content-length", "-1"),
        ("content-length", "\u0665"),
    ],
)
def test_bad_headers(gateway: Gateway, name: str, value: str) -> None:
    assert header(gateway, "200 OK", (name, value)) == 500


def test_good_headers(gateway: Gateway) -> None:
    assert header(gateway, "200 OK", ("X-A", "caf\xe9\tb"), ("x-a", ""), ("!#$%&'*+-.^_`|~0", "x")) == 200


@pytest.mark.parametrize("status", ["", "20", "abc OK", "2000 OK", "200OK", "100 Continue", "200 O\nK", "\u0662\u0660\u0660 OK"])
def test_bad_status(gateway: Gateway, status: str) -> None:
    assert header(gateway, status) == 500


def test_good_status(gateway: Gateway) -> None:
    assert header(gateway, "200 ") == 200
    assert header(gateway, "418") == 418
    assert header(gateway, "599 Anything at all") == 599


@pytest.mark.parametrize("what", ["tuple", "bytes", "name", "value", "str", "none", "keyword", "never", "never-empty"])
def test_wrong_types(gateway: Gateway, what: str) -> None:
    assert gateway.get(f"/types?{what}").status == 500
    assert gateway.get("/").status == 200


# exceptions and disconnects


@pytest.mark.parametrize("name", ["ValueError", "SystemExit", "KeyboardInterrupt", "StopIteration", "GreenletExit"])
def test_raise(instance: Instance, gateway: Gateway, name: str) -> None:
    answer = gateway.get(f"/raise?{name}")
    assert (answer.status, answer.body) == (500, b"Internal Server Error\n")
    instance.wait_log(f"{name}: planned")
    assert gateway.get("/").status == 200


def test_raise_in_the_middle(instance: Instance, gateway: Gateway) -> None:
    answer = gateway.get("/raise/mid")
    assert (answer.status, answer.body, answer.reset) == (200, b"some", f.RESET_APP_ERROR)
    assert not any(frame.end for frame in answer.frames)
    assert closed(gateway).count("raise_mid") == 1
    instance.wait_log("planned in the middle")


def test_raise_in_close(instance: Instance, gateway: Gateway) -> None:
    answer = gateway.get("/raise/close")
    assert (answer.status, answer.body, answer.reset) == (200, b"ok", None)
    assert closed(gateway).count("raise_close") == 1
    instance.wait_log("planned in close")


def test_disconnect_while_iterating(gateway: Gateway) -> None:
    stream = gateway.request("GET", "/forever")
    stream.expect(f.RESPONSE)
    assert stream.expect(f.DATA).payload == b"x"
    stream.reset()
    stream.expect_done()
    seen = closed(gateway)
    assert seen.count("forever") == 1
    assert "never reached" not in seen


def test_disconnect_while_writing(gateway: Gateway) -> None:
    stream = gateway.request("GET", "/flood")
    stream.expect(f.RESPONSE)
    stream.expect(f.DATA)
    stream.reset(f.RESET_DEADLINE)
    while not stream.next().done:
        pass
    assert "write raised ClientDisconnected" in closed(gateway)


def test_disconnect_while_reading(gateway: Gateway) -> None:
    stream = gateway.request("POST", "/starved", body=None, flags=f.FLAG_EXPECT)
    stream.expect(f.CREDIT)
    stream.data(b"abc")
    stream.reset()
    stream.expect_done()
    assert "read raised ClientDisconnected" in closed(gateway)


def test_connection_lost(instance: Instance) -> None:
    released = sum(message["type"] == "released" for message in instance.messages)
    with instance.connect(gateway=77) as gateway:
        stream = gateway.request("GET", "/flood")
        stream.expect(f.RESPONSE)
    message = instance.wait("released", released + 1)
    while message["gateway"] != 77:
        released += 1
        message = instance.wait("released", released + 1)
    with instance.connect() as other:
        assert other.get("/").status == 200


# flow control and slots


def test_output_waits_for_credit(instance: Instance) -> None:
    with instance.connect(window=1000) as gateway:
        stream = gateway.request("GET", "/big")
        assert stream.expect(f.RESPONSE).status == 200
        frame = stream.expect(f.DATA)
        assert len(frame.payload) == 1000
        assert gateway.get("/").body == b"hello"  # others go on
        assert not gateway._frames.get(stream.number)
        stream.credit(50)
        assert len(stream.expect(f.DATA).payload) == 50
        stream.credit(5_000_000)
        rest = stream.answer(grant=False)
        body = frame.payload + b"?" * 50 + rest.body
        assert len(body) == 3_000_000
        assert rest.body[-250:] == bytes(range(250))
        assert rest.frames[-2].end


def test_concurrency(gateway: Gateway) -> None:
    streams = [gateway.request("GET", "/together") for _ in range(8)]
    assert [stream.answer().body for stream in streams] == [b"together"] * 8


def test_marks(instance: Instance, shared: Platform) -> None:
    with instance.connect(column=5) as gateway:
        for _ in range(3):
            gateway.get("/")
        assert shared.mark(5) == 3
        held = gateway.request("GET", "/steps?marks")
        held.expect(f.RESPONSE)
        assert shared.mark(5) == 4
        for _ in range(3):
            gateway.get("/step?marks")
        held.answer()


def test_context_is_per_request(gateway: Gateway) -> None:
    assert [gateway.get("/context").body for _ in range(3)] == [b"0"] * 3


def test_logs_carry_the_request(instance: Instance, gateway: Gateway) -> None:
    gateway.get("/log", request_id="request-77")
    assert instance.wait_log("noted by errors") == "\x1erequest-77\x1fnoted by errors \u20ac"
    assert instance.wait_log("more lines") == "\x1erequest-77\x1fmore lines"
    assert instance.wait_log("noted by print", "stdout") == "\x1erequest-77\x1fnoted by print"
