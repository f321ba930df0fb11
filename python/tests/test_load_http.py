"""The HTTP/1.1 client of scenarios: its reader fed piece by piece, its cookies, its responses."""

from __future__ import annotations

import asyncio
import gzip
import random
import zlib
from typing import Any, Callable, Coroutine, List, Optional, Tuple

import pytest

from headrace.load.cookies import Cookies
from headrace.load.dial import Origin
from headrace.load.http1 import Answer, Connection, TransportError
from headrace.load.meter import Meter
from headrace.load.response import Response

Feed = Callable[[Connection], None]


class _Wire(asyncio.Transport):
    """What the reader is connected to: it keeps what is written, and is closed when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


def _run(story: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(story)


async def _ask(pieces: List[bytes], end: Optional[Feed] = None, bodiless: bool = False) -> Tuple[Answer, Connection]:
    loop = asyncio.get_running_loop()
    connection = Connection(loop, Meter(), lambda _: None)
    wire = _Wire()
    connection.connection_made(wire)
    waiter = connection.send(b"GET / HTTP/1.1\r\n\r\n", bodiless, loop.time() + 60)
    for piece in pieces:
        if not wire.closed:
            connection.data_received(piece)
    if end is not None:
        end(connection)
    try:
        assert waiter.done()
        return await waiter, connection
    finally:
        connection.connection_lost(None)


_STREAMS = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello", True),
    (b"HTTP/1.1 200\r\ncontent-length:0\r\n\r\n", 200, b"", True),
    (b"HTTP/1.1 404 Not Found\r\nX: \xff\r\nCONTENT-LENGTH:  3 \r\nConnection: Close\r\n\r\nabc", 404, b"abc", False),
    (b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx", 200, b"x", False),
    (b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\nx", 200, b"x", True),
    (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 99\r\n\r\n", 304, b"", True),
    (b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 200, b"ok", True),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n01\r\n!\r\n0\r\nx-sum: 1\r\n\r\n",
        200,
        b"hello!",
        True,
    ),
]


@pytest.mark.parametrize(("stream", "status", "body", "reusable"), _STREAMS)
def test_an_answer_is_the_same_however_it_is_cut(stream: bytes, status: int, body: bytes, reusable: bool) -> None:
    async def story() -> None:
        numbers = random.Random(5)
        cuts = [[stream], [stream[at : at + 1] for at in range(len(stream))]]
        for _ in range(30):
            places = sorted(numbers.sample(range(len(stream) + 1), 3))
            cuts.append([stream[a:b] for a, b in zip([0, *places], [*places, len(stream)]) if a < b])
        for pieces in cuts:
            answer, connection = await _ask(pieces)
            assert (answer.status, answer.body, connection.answers) == (status, body, 1)
            assert answer.first > 0

    async def after() -> None:
        loop = asyncio.get_running_loop()
        connection = Connection(loop, Meter(), lambda _: None)
        connection.connection_made(_Wire())
        waiter = connection.send(b"", False, loop.time() + 60)
        connection.data_received(stream)
        await waiter
        assert connection.reusable is reusable
        connection.connection_lost(None)

    _run(story())
    _run(after())


def test_without_a_length_the_end_of_the_connection_ends_the_body() -> None:
    pieces = [b"HTTP/1.1 200 OK\r\n\r\nso", b" long"]
    answer, connection = _run(_ask(pieces, lambda each: each.connection_lost(None)))
    assert (answer.body, connection.reusable) == (b"so long", False)


def test_the_answer_to_head_has_no_body() -> None:
    answer, connection = _run(_ask([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"], bodiless=True))
    assert (answer.body, connection.answers) == (b"", 1)


@pytest.mark.parametrize(
    "stream",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1, 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
        b"x" * 300_000,
    ],
)
def test_what_is_no_http_is_malformed(stream: bytes) -> None:
    for pieces in ([stream], [stream[at : at + 7] for at in range(0, len(stream), 7)]):
        with pytest.raises(TransportError) as caught:
            _run(_ask(pieces))
        assert caught.value.kind == "malformed"


@pytest.mark.parametrize(
    ("pieces", "error", "kind"),
    [
        ([], None, "closed"),
        ([], ConnectionResetError(), "reset"),
        ([b"HTT"], None, "cut"),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab"], None, "cut"),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab"], ConnectionResetError(), "reset"),
        ([b"HTTP/1.1 200 OK\r\n\r\nab"], ConnectionResetError(), "reset"),
        ([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n"], None, "cut"),
    ],
)
def test_ends_are_told_apart(pieces: List[bytes], error: Optional[Exception], kind: str) -> None:
    with pytest.raises(TransportError) as caught:
        _run(_ask(pieces, lambda each: each.connection_lost(error)))
    assert caught.value.kind == kind


def test_nothing_that_a_server_sends_breaks_the_reader() -> None:
    numbers = random.Random(9)
    words = [b"HTTP/1.1 ", b"200", b" OK", b"\r\n", b"\r\n\r\n", b"content-length: ", b"4", b"transfer-encoding: chunked", b"\0"]

    async def story() -> None:
        for _ in range(2_000):
            pieces = [b"".join(numbers.choices(words, k=numbers.randint(1, 6))) for _ in range(numbers.randint(1, 5))]
            try:
                await _ask(pieces, lambda each: each.connection_lost(None))
            except TransportError as error:
                assert error.kind in ("malformed", "closed", "cut")

    _run(story())


def test_what_is_said_unasked_closes_the_connection() -> None:
    async def story() -> None:
        connection = Connection(asyncio.get_running_loop(), Meter(), lambda _: None)
        wire = _Wire()
        connection.connection_made(wire)
        connection.data_received(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        assert wire.closed
        assert not connection.reusable

    _run(story())


def _response(fields: str, body: bytes) -> Response:
    answer = Answer(200, fields.replace("\n", "\r\n").encode("latin-1"))
    answer.body = body
    return Response(answer, "http://h/", 0.5)


def test_bodies_are_decoded() -> None:
    text = "Grüße" * 50
    for packed, coding in [
        (gzip.compress(text.encode()), "gzip"),
        (zlib.compress(text.encode()), "deflate"),
        (zlib.compress(text.encode())[2:-4], "deflate"),
        (gzip.compress(zlib.compress(text.encode())), "deflate, gzip"),
    ]:
        assert _response(f"Content-Encoding: {coding}\n", packed).text == text
    assert _response('content-type: text/plain; charset="latin-1"\n', "ü".encode("latin-1")).text == "ü"
    assert _response("content-type: text/plain; charset=nonsense\n", b"a\xff").text == "a\ufffd"
    assert _response("content-encoding: gzip\n", b"").text == ""
    assert _response("content-type: application/json\n", b'{"a": [1]}').json() == {"a": [1]}
    for body, coding in [(b"no gzip", "gzip"), (b"x", "br")]:
        with pytest.raises(ValueError, match=coding):
            _ = _response(f"content-encoding: {coding}\n", body).content


def test_fields_are_found_in_any_case_and_joined() -> None:
    headers = _response("X-One: 1\nset-cookie: a=1\nSet-Cookie: b=2\n", b"").headers
    assert headers["x-one"] == headers["X-ONE"] == "1"
    assert headers["set-cookie"] == "a=1, b=2"
    assert headers.get_list("Set-Cookie") == ["a=1", "b=2"]
    assert "X-Two" not in headers
    assert headers.get("x-two") is None
    assert len(headers) == 2


def test_cookies_go_back_where_they_came_from() -> None:
    cookies = Cookies()
    cookies.take("a", ["one=1; Path=/; HttpOnly", "two=2; path=/deep", "three=a=b; Max-Age=60", "novalue", "=x"])
    assert cookies.header("a", "/") == "one=1; three=a=b"
    assert cookies.header("a", "/deep/er?x") == "two=2; one=1; three=a=b"
    assert cookies.header("a", "/deeper") == "one=1; three=a=b"
    assert cookies.header("b", "/") == ""
    cookies.take("a", ["one=; Max-Age=0", "three=; expires=Thu, 01 Jan 1970 00:00:00 GMT"])
    cookies.take("a", ["kept=1; Max-Age=60; expires=Thu, 01 Jan 1970 00:00:00 GMT", "odd=1; expires=nonsense"])
    assert cookies.header("a", "/") == "kept=1; odd=1"
    assert (cookies.get("two"), cookies.get("one", "gone"), len(cookies)) == ("2", "gone", 3)


def test_origins() -> None:
    assert Origin.read("http://h:8080/x") == Origin(False, "h", 8080, "h:8080")
    assert Origin.read("https://h") == Origin(True, "h", 443, "h")
    assert Origin.read("http://[::1]:80/") == Origin(False, "::1", 80, "[::1]")
    for bad in ("ftp://h", "h:80", "http://", "http://h:x/"):
        with pytest.raises(ValueError):
            Origin.read(bad)
