"""The app of the PEP 3333 tests: one path an item, and what reads its answers."""

from __future__ import annotations

from typing import Any

from harness import Gateway

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


def closed(gateway: Gateway) -> Any:
    """What the app noted when its iterables were closed."""
    return gateway.get("/closed").json()


def types(answer: Any) -> "list[int]":
    """The types of an answer's frames, in order."""
    return [frame.type for frame in answer.frames]
