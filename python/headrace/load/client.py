"""The HTTP client of a virtual user: its own connections, its own cookies, every request counted.

It follows no redirects unless asked to, decodes gzip and deflate, and speaks HTTP/1.1 only. It is not for the web at large: it is
for sending many requests to a service that is known.
"""

from __future__ import annotations

import asyncio
import json as jsonlib
from time import monotonic
from typing import TYPE_CHECKING, Any, Collection, Dict, List, Mapping, Optional, Tuple, Union
from urllib.parse import urlencode, urljoin, urlsplit

from .book import Book, Outcome
from .cookies import Cookies
from .dial import Origin
from .http1 import Answer, Connection, TransportError
from .response import Response

if TYPE_CHECKING:
    from .user import User

__all__ = ["Client", "RequestError"]

_MOST_REDIRECTS = 10
_REDIRECTS = (301, 302, 303, 307, 308)
_AGENT = "headrace-load"

Expected = Union[int, Collection[int]]
Body = Union[str, bytes, Mapping[str, Any]]


class RequestError(Exception):
    """A request that got no whole answer. It has been counted; where the task does not catch it, it ends the iteration.

    kind: why, as in the report: refused, reset, cut, timeout …
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Client:
    """Sends the requests of one user. Made by the runner; a task finds it as `self.client`."""

    def __init__(self, user: "User", host: Optional[str], headers: List[Tuple[str, str]]) -> None:
        self._user = user
        self._stage = user._stage
        self._base = host
        self._idle: Dict[Origin, List[Connection]] = {}
        self._origins: Dict[str, Tuple[Origin, str]] = {}
        self.cookies = Cookies()
        self.headers: Dict[str, str] = {"user-agent": _AGENT, "accept": "*/*", "accept-encoding": "gzip, deflate"}
        """Sent with every request of this user. Names in lower case."""
        for name, value in headers:
            self.headers[name.lower()] = value

    async def get(self, path: str, **more: Any) -> Response:
        """GET; see `request`."""
        return await self.request("GET", path, **more)

    async def post(self, path: str, **more: Any) -> Response:
        """POST; see `request`."""
        return await self.request("POST", path, **more)

    async def put(self, path: str, **more: Any) -> Response:
        """PUT; see `request`."""
        return await self.request("PUT", path, **more)

    async def patch(self, path: str, **more: Any) -> Response:
        """PATCH; see `request`."""
        return await self.request("PATCH", path, **more)

    async def delete(self, path: str, **more: Any) -> Response:
        """DELETE; see `request`."""
        return await self.request("DELETE", path, **more)

    async def head(self, path: str, **more: Any) -> Response:
        """HEAD; see `request`."""
        return await self.request("HEAD", path, **more)

    async def options(self, path: str, **more: Any) -> Response:
        """OPTIONS; see `request`."""
        return await self.request("OPTIONS", path, **more)

    async def request(
        self,
        method: str,
        path: str,
        *,
        name: Optional[str] = None,
        params: Optional[Mapping[str, Any]] = None,
        headers: Optional[Mapping[str, str]] = None,
        json: Any = None,
        data: Optional[Body] = None,
        timeout: Optional[float] = None,
        expect: Optional[Expected] = None,
        allow_redirects: bool = False,
    ) -> Response:
        """Send one request and wait for its whole answer.

        path: below the host of the run, or an absolute URL. name: what the report counts it under; without one, the method and
        the path without its query, so give names to paths that have ids in them. data: bytes, text, or a mapping that is sent as
        a form. timeout: seconds, from here to the last byte; without one, the timeout of the run. expect: the status, or the
        statuses, that are right; without one, all below 400. allow_redirects: go where a redirect leads; each step counts as a
        request. Raises RequestError when there is no whole answer; an unexpected status is counted as a failure and not raised.
        """
        fields = {} if headers is None else {key.lower(): value for key, value in headers.items()}
        body = _body(json, data, fields)
        if params:
            path += ("&" if "?" in path else "?") + urlencode(params, doseq=True)
        title = name if name is not None else f"{method} {path.split('?', 1)[0]}"
        url = path
        hops = 0
        while True:
            origin, target = self._locate(url)
            response = await self._once(
                _Request(method, origin, target, fields, body, title, timeout or self._stage.timeout), expect, allow_redirects
            )
            location = response.headers.get("location") if allow_redirects and response.status in _REDIRECTS else None
            hops += 1
            if location is None or hops > _MOST_REDIRECTS:
                return response
            url = urljoin(response.url, location)
            if response.status == 303 or (response.status in (301, 302) and method == "POST"):
                method, body = "GET" if method != "HEAD" else method, None
                fields.pop("content-type", None)

    def close(self) -> None:
        """Close the connections that are idle."""
        for idle in self._idle.values():
            for connection in list(idle):
                connection.close()
        self._idle.clear()

    def _locate(self, url: str) -> Tuple[Origin, str]:
        if url.startswith("/"):
            if self._base is None:
                raise ValueError(f"{url} needs a host: give --host URL, or set host in {type(self._user).__name__}")
            place = self._origins.get("")
            if place is None:
                prefix = urlsplit(self._base).path.rstrip("/")
                place = self._origins[""] = (Origin.read(self._base), prefix)
            return place[0], place[1] + url if place[1] else url
        if "://" not in url:
            raise ValueError(f"{url!r} is neither a path, which begins with a slash, nor a URL")
        parts = urlsplit(url)
        return Origin.read(url), (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    async def _once(self, request: "_Request", expect: Optional[Expected], redirects: bool) -> Response:
        user, meter = self._user, self._stage.meter
        now = monotonic()
        due = user._begin(now)
        began: Optional[float] = None
        try:
            answer, began = await self._exchange(request, now + request.timeout, meter.book(due))
        except TransportError as error:
            user._end(self._count(request.title, due, error.kind))
            self._stage.link.note(f"{request.title}: {error}", f"{error.kind} {request.title}")
            raise RequestError(error.kind, str(error)) from error
        except asyncio.CancelledError:
            # The run has ended, or the scenario set itself a shorter time.
            user._end(self._count(request.title, due, "unfinished" if self._stage.ended else "timeout"))
            raise
        end = monotonic()
        status = answer.status
        book = meter.book(due)
        book.status(status)
        right = status < 400 if expect is None else status == expect if isinstance(expect, int) else status in expect
        if redirects and status in _REDIRECTS:
            right = True
        book.service.record(int((end - began) * 1e6))
        book.first_byte.record(int((answer.first - began) * 1e6))
        user._end(meter.ended(request.title, due, None if right else "status", end))
        if not right:
            self._stage.link.note(f"{request.title}: status {status}", f"status {status} {request.title}")
        scheme = "https" if request.origin.secure else "http"
        response = Response(answer, f"{scheme}://{request.origin.authority}{request.target}", end - began)
        if b"et-" in answer.head and "set-cookie" in response.headers:
            self.cookies.take(request.origin.name, response.headers.get_list("set-cookie"))
        return response

    def _count(self, title: str, due: float, failure: str) -> Outcome:
        return self._stage.meter.ended(title, due, failure)

    async def _exchange(self, request: "_Request", deadline: float, book: Book) -> Tuple[Answer, float]:
        """The answer, and when its request was sent."""
        data = request.encode(self.headers, self.cookies.header(request.origin.name, request.target))
        idle = self._idle.setdefault(request.origin, [])
        while True:
            connection = _usable(idle) or await self._stage.dialer.connect(request.origin, deadline, self._forget)
            again = connection.answers > 0
            began = monotonic()
            try:
                answer = await connection.send(data, request.method == "HEAD", deadline)
            except TransportError as error:
                if again and error.kind in ("closed", "reset") and not connection.answering:
                    # It was closed while it was idle, and the news crossed with the request.
                    book.resent += 1
                    continue
                raise
            except asyncio.CancelledError:
                connection.abort()
                raise
            if connection.reusable:
                idle.append(connection)
            return answer, began

    def _forget(self, connection: Connection) -> None:
        for idle in self._idle.values():
            if connection in idle:
                idle.remove(connection)


def _usable(idle: List[Connection]) -> Optional[Connection]:
    while idle:
        connection = idle.pop()
        if connection.reusable:
            return connection
    return None


class _Request:
    __slots__ = ("body", "fields", "method", "origin", "target", "timeout", "title")

    def __init__(
        self,
        method: str,
        origin: Origin,
        target: str,
        fields: Dict[str, str],
        body: Optional[bytes],
        title: str,
        timeout: float,
    ) -> None:
        self.method = method
        self.origin = origin
        self.target = target
        self.fields = fields
        self.body = body
        self.title = title
        self.timeout = timeout

    def encode(self, common: Mapping[str, str], cookies: str) -> bytes:
        """The bytes on the wire. ValueError for what cannot stand in a head."""
        lines = [f"{self.method} {self.target} HTTP/1.1"]
        fields = {**common, **self.fields} if self.fields else common
        if "host" not in fields:
            lines.append(f"host: {self.origin.authority}")
        for name, value in fields.items():
            lines.append(f"{name}: {value}")
        if cookies and "cookie" not in fields:
            lines.append(f"cookie: {cookies}")
        if self.body is not None or self.method in ("POST", "PUT", "PATCH"):
            lines.append(f"content-length: {len(self.body or b'')}")
        for line in lines:
            if "\r" in line or "\n" in line:
                raise ValueError(f"a line break in the head of a request: {line!r}")
        if " " in self.target:
            raise ValueError(f"a space in the path {self.target!r}: quote it")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1" if self.target.isascii() else "utf-8")
        return head if self.body is None else head + self.body


def _body(json: Any, data: Optional[Body], fields: Dict[str, str]) -> Optional[bytes]:
    if json is not None:
        if data is not None:
            raise ValueError("json and data exclude each other")
        fields.setdefault("content-type", "application/json")
        return jsonlib.dumps(json, separators=(",", ":")).encode()
    if data is None or isinstance(data, bytes):
        return data
    if isinstance(data, str):
        return data.encode()
    fields.setdefault("content-type", "application/x-www-form-urlencoded")
    return urlencode(data, doseq=True).encode()
