"""PEP 3333, item by item: environ and wsgi.input."""

from __future__ import annotations

from typing import Iterator

import pytest
from harness import Gateway, Instance, Platform
from wsgi_items import APP, types

from headrace.worker import frames as f


@pytest.fixture(scope="module")
def instance(shared: Platform) -> Instance:
    return shared.start("app.py:app", APP, interface="wsgi", concurrency=8, logs=True, table=True)


@pytest.fixture
def gateway(instance: Instance) -> Iterator[Gateway]:
    with instance.connect() as one:
        yield one


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
