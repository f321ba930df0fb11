"""Parts of ASGI scopes and WSGI environs that are read from a REQUEST frame's fields."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple
from urllib.parse import quote, unquote_to_bytes

Address = Optional[Tuple[str, Optional[int]]]

_CACHE_SIZE = 4096
_peers: Dict[bytes, Tuple[Address, Address]] = {}


def peers(field: bytes) -> Tuple[Address, Address]:
    """Client and server address of the peers field; None for a client on a Unix socket. Raises ValueError."""
    known = _peers.get(field)
    if known is None:
        client_host, client_port, server_host, server_port = field.decode().split(" ")
        client = (client_host, int(client_port)) if client_host else None
        server = (server_host, int(server_port) if server_port else None) if server_host else None
        if len(_peers) >= _CACHE_SIZE:
            _peers.clear()
        known = _peers[field] = (client, server)
    return known


def split_target(target: bytes) -> Tuple[bytes, bytes]:
    """Path (still encoded) and query of a request target of any form: origin, absolute, authority or asterisk."""
    path, _, query = target.partition(b"?")
    if path[:1] != b"/":
        scheme, mark, rest = path.partition(b"://")
        if mark and scheme.isalnum():
            slash = rest.find(b"/")
            path = rest[slash:] if slash >= 0 else b"/"
    return path, query


def decode_path(raw: bytes) -> str:
    """A path percent-decoded, as text; bytes that are not UTF-8 become U+FFFD."""
    if b"%" in raw:
        raw = unquote_to_bytes(raw)
    return raw.decode("utf-8", "replace")


class Root:
    """Puts a root path before request paths that do not have it: ASGI wants `path` to include `root_path`."""

    __slots__ = ("_raw", "_raw_slash", "path")

    def __init__(self, path: str) -> None:
        self.path = path.rstrip("/")
        self._raw = quote(self.path).encode("ascii")
        self._raw_slash = self._raw + b"/"

    def full(self, raw: bytes) -> bytes:
        """The path with the root path before it."""
        if raw == self._raw or raw.startswith(self._raw_slash) or raw[:1] != b"/":
            return raw
        return self._raw + raw


def tls(field: bytes) -> Dict[str, Any]:
    """The ASGI tls extension. The gateway ends TLS and passes no certificates on: those are None or empty."""
    version, _, cipher = field.partition(b" ")
    return {
        "server_cert": None,
        "client_cert_chain": (),
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": int(version) if version.isdigit() else None,
        "cipher_suite": int(cipher) if cipher.isdigit() else None,
    }


def subprotocols(headers: List[Tuple[bytes, bytes]]) -> List[str]:
    """The subprotocols that a WebSocket handshake offers, in order."""
    offered: List[str] = []
    for name, value in headers:
        if name == b"sec-websocket-protocol":
            offered.extend(part.strip() for part in value.decode("latin-1").split(",") if part.strip())
    return offered
