"""PEP 3333, item by item: start_response, write and what is iterated."""

from __future__ import annotations

import json
from typing import Iterator

import pytest
from harness import Gateway, Instance, Platform
from wsgi_items import APP, closed, types

from headrace.worker import frames as f


@pytest.fixture(scope="module")
def instance(shared: Platform) -> Instance:
    return shared.start("app.py:app", APP, interface="wsgi", concurrency=8, logs=True, table=True)


@pytest.fixture
def gateway(instance: Instance) -> Iterator[Gateway]:
    with instance.connect() as one:
        yield one


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
