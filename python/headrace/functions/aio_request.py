"""The request and response of asynchronous functions where Starlette is not installed: the common part of Starlette's."""

from __future__ import annotations

import json
from typing import Any, AsyncIterator, Awaitable, Callable, Dict, Optional
from urllib.parse import parse_qsl, quote

from .plain_request import Headers, MultiDict

_NOT_READ = object()


class ClientDisconnect(Exception):
    """The client has left before its request was complete."""


class Request:
    """One HTTP request: `method`, `path_params`, `query_params`, `headers`, `cookies`, `url`, `client`; the body by
    `await body()`, `await json()`, `await form()` (urlencoded), or `async for chunk in stream()`."""

    def __init__(self, scope: Dict[str, Any], receive: Callable[[], Awaitable[Dict[str, Any]]]) -> None:
        self.scope = scope
        self.receive = receive
        self.method: str = scope["method"]
        self.client = scope.get("client")
        self.path_params: Dict[str, str] = {"path": scope["path"].lstrip("/")}
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        environ: Dict[str, str] = {}
        for name, value in pairs:
            key = "HTTP_" + name.upper().replace("-", "_")
            environ[key] = f"{environ[key]}, {value}" if key in environ else value
        self.headers = Headers(environ)
        query = scope["query_string"].decode("latin-1")
        self.query_params = MultiDict(parse_qsl(query, keep_blank_values=True))
        host = self.headers.get("host", "localhost")
        self.url = f"{scope['scheme']}://{host}{quote(scope['path'])}" + (f"?{query}" if query else "")
        self._body: Optional[bytes] = None
        self._json: Any = _NOT_READ

    async def stream(self) -> AsyncIterator[bytes]:
        """The body's chunks, as they come. Raises ClientDisconnect when the client leaves before its end."""
        if self._body is not None:
            yield self._body
            return
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body"):
                return

    async def body(self) -> bytes:
        """The whole body, read once."""
        if self._body is None:
            self._body = b"".join([chunk async for chunk in self.stream()])
        return self._body

    async def json(self) -> Any:
        """The decoded body. Raises ValueError when it is not JSON."""
        if self._json is _NOT_READ:
            self._json = json.loads(await self.body())
        return self._json

    async def form(self) -> MultiDict:
        """The fields of an urlencoded body."""
        return MultiDict(parse_qsl((await self.body()).decode("utf-8", "replace"), keep_blank_values=True))


class Response:
    """An ASGI app that sends one response. `content`: text, bytes, or a dict or list for JSON."""

    def __init__(self, content: Any = b"", status_code: int = 200, headers: Optional[Dict[str, str]] = None) -> None:
        self.status_code = status_code
        kind = ""
        if isinstance(content, (dict, list)):
            content, kind = json.dumps(content), "application/json"
        elif isinstance(content, str):
            kind = "text/plain; charset=utf-8"
        self.body: bytes = content.encode() if isinstance(content, str) else bytes(content)
        self.headers = {name.lower(): value for name, value in (headers or {}).items()}
        if kind:
            self.headers.setdefault("content-type", kind)
        self.headers.setdefault("content-length", str(len(self.body)))

    async def __call__(self, scope: Any, receive: Any, send: Callable[..., Awaitable[None]]) -> None:
        """Send it."""
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})
