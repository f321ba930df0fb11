"""Makes the ASGI scope and the stream object of a new REQUEST frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from . import frames as f
from .scope import Root, decode_path, peers, split_target, subprotocols, tls
from .stream import Event, HttpStream
from .websocket import WebSocketStream

if TYPE_CHECKING:
    from .connection import Connection, Stream

_HTTP_EXTENSIONS: Dict[str, Dict[str, Any]] = {"http.response.pathsend": {}, "http.response.early_hint": {}}
_VERSIONS = {0: "1.1", f.FLAG_HTTP10: "1.0", f.FLAG_HTTP2: "2"}
_METHODS = {name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}
_VERSION_FLAGS = f.FLAG_HTTP10 | f.FLAG_HTTP2


class ScopeBuilder:
    """state: the lifespan's, copied into each scope; None before startup."""

    __slots__ = ("_root", "_state")

    def __init__(self, root: Root, state: Optional[Event]) -> None:
        self._root = root
        self._state: Event = state if state is not None else {}

    def build(self, connection: "Connection", flags: int, number: int, payload: bytes) -> "Tuple[Stream, Event]":
        """The stream and its scope. Raises ProtocolError for a payload of the wrong shape."""
        fields = payload.split(b"\0")
        if len(fields) < 6 or len(fields) % 2:
            raise f.ProtocolError(f"REQUEST on stream {number} with {len(fields)} fields")
        each = iter(fields)
        method, target, address = next(each), next(each), next(each)
        name, timeout, secure = next(each), next(each), next(each)
        headers = list(zip(each, each))
        raw_path, _, query = target.partition(b"?")
        if raw_path[:1] != b"/":
            raw_path, query = split_target(target)
        root = self._root
        if root.path:
            raw_path = root.full(raw_path)
        try:
            client, server = peers(address)
            verb = _METHODS.get(method) or method.decode("ascii")
        except ValueError as error:
            raise f.ProtocolError(f"REQUEST on stream {number}: {error}") from None
        scope: Event = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.5"},
            "http_version": _VERSIONS.get(flags & _VERSION_FLAGS, "2"),
            "method": verb,
            "scheme": "https" if flags & f.FLAG_TLS else "http",
            "path": decode_path(raw_path) if b"%" in raw_path else raw_path.decode("utf-8", "replace"),
            "raw_path": raw_path,
            "query_string": query,
            "root_path": root.path,
            "headers": headers,
            "client": client,
            "server": server,
            "state": self._state.copy(),
            "extensions": _HTTP_EXTENSIONS.copy(),
        }
        if secure:
            scope["extensions"]["tls"] = tls(secure)
        if flags & f.FLAG_WEBSOCKET:
            return self._websocket(connection, flags, number, (name, timeout), headers, scope), scope
        trailers = False
        if flags & f.FLAG_HTTP2 or (b"te" in fields and _wants_trailers(headers)):
            trailers = True
            scope["extensions"]["http.response.trailers"] = {}
        return HttpStream(connection, number, flags, verb == "HEAD", name, timeout, trailers), scope

    def _websocket(
        self,
        connection: "Connection",
        flags: int,
        number: int,
        meta: Tuple[bytes, bytes],
        headers: List[Tuple[bytes, bytes]],
        scope: Event,
    ) -> WebSocketStream:
        offered = subprotocols(headers)
        del scope["method"]
        extensions: Event = {"websocket.http.response": {}}
        if "tls" in scope["extensions"]:
            extensions["tls"] = scope["extensions"]["tls"]
        scope.update(
            type="websocket",
            scheme="wss" if flags & f.FLAG_TLS else "ws",
            subprotocols=list(offered),
            extensions=extensions,
        )
        return WebSocketStream(connection, number, offered, *meta)


def _wants_trailers(headers: List[Tuple[bytes, bytes]]) -> bool:
    return any(name == b"te" and b"trailers" in [part.strip().lower() for part in value.split(b",")] for name, value in headers)
