"""Targets, peers, root paths: what scopes are made of."""

from __future__ import annotations

import pytest

from headrace.worker.scope import Root, decode_path, peers, split_target, subprotocols, tls


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/a/b?c=d?e", b"/a/b", b"c=d?e"),
        (b"/", b"/", b""),
        (b"//a/../b", b"//a/../b", b""),
        (b"*", b"*", b""),
        (b"http://h:80/x?y", b"/x", b"y"),
        (b"http://h", b"/", b""),
        (b"h:443", b"h:443", b""),
        (b"/a#b", b"/a#b", b""),
    ],
)
def test_targets(target: bytes, path: bytes, query: bytes) -> None:
    assert split_target(target) == (path, query)


def test_paths_are_decoded_as_utf8_and_never_fail() -> None:
    assert decode_path(b"/%C3%BC%20x") == "/ü x"
    assert decode_path(b"/%FF\xfe") == "/\ufffd\ufffd"
    assert decode_path(b"/%zz%") == "/%zz%"
    assert decode_path("/ü".encode()) == "/ü"
    assert decode_path(b"/a%2Fb") == "/a/b"


def test_peers() -> None:
    assert peers(b"192.0.2.1 80 10.0.0.1 8080") == (("192.0.2.1", 80), ("10.0.0.1", 8080))
    assert peers(b"  10.0.0.1 8080") == (None, ("10.0.0.1", 8080))
    assert peers(b"  /run/x.sock ") == (None, ("/run/x.sock", None))
    assert peers(b"::1 5 ::1 6")[0] == ("::1", 5)
    for bad in (b"", b"a b", b"a x b 1", b"a 1 b 1 c", b"\xff 1 b 1"):
        with pytest.raises(ValueError):
            peers(bad)


def test_root_path_is_put_before_once() -> None:
    root = Root("/api/")
    assert root.path == "/api"
    assert root.full(b"/x") == b"/api/x"
    assert root.full(b"/api/x") == b"/api/x"
    assert root.full(b"/api") == b"/api"
    assert root.full(b"/apis") == b"/api/apis"
    assert root.full(b"*") == b"*"
    assert Root("/ü").full(b"/x") == b"/%C3%BC/x"


def test_tls_has_the_mandatory_keys() -> None:
    extension = tls(b"772 4865")
    assert (extension["tls_version"], extension["cipher_suite"]) == (772, 4865)
    assert extension["server_cert"] is None and extension["client_cert_chain"] == ()
    assert tls(b"x")["tls_version"] is None


def test_subprotocols_are_split() -> None:
    headers = [(b"sec-websocket-protocol", b"a, b"), (b"x", b"y"), (b"sec-websocket-protocol", b"c,,")]
    assert subprotocols(headers) == ["a", "b", "c"]
