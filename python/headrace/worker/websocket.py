"""One WebSocket of an ASGI app. The gateway speaks RFC 6455; here are only messages and closes.

CONNECTING ──accept──▶ OPEN ──close (app, client, shutdown)──▶ CLOSED
    │ close: 403, or websocket.http.response.start: DENYING ──last body──▶ CLOSED
    └──────────────────────────────────────────────────────────▶
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Deque, List, Optional, Tuple

from . import frames as f
from .context import Origin, clock, origin_of, work
from .disconnect import ClientDisconnected, only_disconnects
from .headers import encode
from .stream import Event, _as_bytes, _bad_status

if TYPE_CHECKING:
    from .connection import Connection

CONNECTING, OPEN, DENYING, CLOSED = range(4)
_PIECE = 131072
_OVERHEAD = 64
"""Messages that may wait unread: one for each so many bytes of the window, so that empty ones cannot pile up."""

_NORMAL, _NO_STATUS, _ABNORMAL, _POLICY, _TOO_BIG, _ERROR, _RESTART = 1000, 1005, 1006, 1008, 1009, 1011, 1012


class WebSocketStream:
    """As HttpStream: `receive` and `send` for the app, `on_*` for the connection."""

    __slots__ = (
        "_began",
        "_connection",
        "_connect",
        "_credit",
        "_disconnect",
        "_grant",
        "_head",
        "_headers",
        "_id",
        "_left",
        "_messages",
        "_offered",
        "_part",
        "_part_size",
        "_state",
        "_timeout",
        "_waiters",
        "gone",
        "listed",
        "number",
        "pending",
        "task",
    )

    begun = True
    """See HttpStream: nothing says how long a WebSocket may take."""

    def __init__(self, connection: "Connection", number: int, offered: List[str], name: bytes, timeout: bytes) -> None:
        self._connection = connection
        self.number = number
        self._id = name
        self._timeout = timeout
        self._began = clock()
        self.gone = False
        self.listed = False
        self.pending = False
        self.task: Optional[asyncio.Task[None]] = None
        self._state = CONNECTING
        self._offered = offered
        self._connect = True
        self._credit = connection.credit
        self._left = connection.window
        self._grant = 0
        self._messages: Deque[Tuple[int, bytes, int]] = deque()
        self._part: List[bytes] = []
        self._part_size = 0
        self._head: Optional[Tuple[int, bytes]] = None
        self._disconnect: Optional[Event] = None
        self._waiters: List[asyncio.Future[None]] = []

    async def run(self, app: Any, scope: Event) -> None:
        """The task of this WebSocket."""
        self._headers: List[Any] = scope["headers"]
        work.set(self)
        connection = self._connection
        if connection.marks is not None:
            connection.marks[connection.column] = self.number
        try:
            await app(scope, self.receive, self.send)
        except BaseException as error:  # noqa: BLE001 (SystemExit and CancelledError end the WebSocket, not the worker)
            if self._disconnect is None or not only_disconnects(error):
                connection.server.report_error("headrace worker: exception in the app", error)
            self._finish(error)
        else:
            self._finish(None)
        self.task = None
        connection.closed(self)

    def id(self) -> str:
        """See Work."""
        return self._id.decode("utf-8", "replace")

    def origin(self) -> Origin:
        """See Work."""
        return origin_of(self._headers, self._timeout, self._began, self._state != CONNECTING)

    # What the app calls

    async def receive(self) -> Event:
        """websocket.connect, then messages, then websocket.disconnect every time."""
        if self._connect:
            self._connect = False
            return {"type": "websocket.connect"}
        while not self._messages:
            if self._disconnect is not None:
                return dict(self._disconnect)
            await self._wait()
        flags, payload, size = self._messages.popleft()
        self._taken(size)
        if flags & f.FLAG_TEXT:
            return {"type": "websocket.receive", "text": payload.decode("utf-8")}
        return {"type": "websocket.receive", "bytes": payload}

    async def send(self, message: Event) -> None:
        """Take one event. Waits while the gateway grants no credit.

        Raises ClientDisconnected when the WebSocket is closed; RuntimeError for an event out of order; KeyError, TypeError or
        ValueError for an event that is malformed.
        """
        kind = message["type"]
        if self._state == CLOSED:
            raise ClientDisconnected("the WebSocket is closed")
        if self._state == OPEN:
            if kind == "websocket.send":
                await self._message(message)
            elif kind == "websocket.close":
                self._close(_code(message.get("code", _NORMAL)), message.get("reason") or "")
            else:
                raise RuntimeError(f"unexpected {kind}: the WebSocket is open")
        elif kind == "websocket.http.response.body" and self._state == DENYING:
            await self._denial_body(message)
        elif self._state == DENYING:
            raise RuntimeError(f"unexpected {kind}: the handshake is being denied")
        elif kind == "websocket.accept":
            self._accept(message)
        elif kind == "websocket.close":
            self._deny(403)
            self._closed(_ABNORMAL, "")
        elif kind == "websocket.http.response.start":
            self._denial_start(message)
        else:
            raise RuntimeError(f"unexpected {kind}: the WebSocket is not accepted")

    # What the gateway sends

    def on_message(self, payload: bytes, flags: int) -> None:
        """A message, or a part of one."""
        size = len(payload)
        if self._state == CONNECTING or self._state == DENYING:
            raise f.ProtocolError(f"WS_MESSAGE before WS_ACCEPT on stream {self.number}")
        if size > self._left:
            raise f.ProtocolError(f"{size} bytes of WS_MESSAGE on stream {self.number}, which has credit for {self._left}")
        self._left -= size
        if self._state == CLOSED:
            return
        if flags & f.FLAG_MORE or self._part:
            self._part.append(payload)
            self._part_size += size
            if self._part_size > self._connection.server.ws_max_size:
                self._close(_TOO_BIG, "the message is too big")
                return
            # a message may be larger than the window: its parts count as taken, its size is limited above
            self._taken(size)
            if flags & f.FLAG_MORE:
                return
            payload, size = b"".join(self._part), 0
            self._part, self._part_size = [], 0
        if flags & f.FLAG_TEXT and not payload.isascii():
            try:
                payload.decode("utf-8")
            except UnicodeDecodeError:
                raise f.ProtocolError(f"a text message on stream {self.number} is not UTF-8") from None
        self._messages.append((flags, payload, size))
        if len(self._messages) > self._connection.window // _OVERHEAD + _OVERHEAD:
            self._close(_POLICY, "too many messages are waiting")
        self._wake()

    def on_close(self, code: int, reason: str) -> None:
        """The client has closed, or its closing handshake is complete."""
        if self._state == CONNECTING or self._state == DENYING:
            raise f.ProtocolError(f"WS_CLOSE before WS_ACCEPT on stream {self.number}")
        if self._state == OPEN:
            self._closed(code, reason)

    def on_reset(self, code: int, reason: str) -> None:
        """The client, or its gateway, has gone without a close frame."""
        self.gone = True
        if self._state != CLOSED:
            self._closed(_RESTART if code == f.RESET_SHUTDOWN else _ABNORMAL, "")

    def on_data(self, payload: bytes, end: int) -> None:
        """Body bytes have no place here."""
        raise f.ProtocolError(f"DATA on stream {self.number}, which is a WebSocket")

    def on_credit(self, amount: int) -> None:
        """More credit for messages."""
        self._credit += amount
        self._wake()

    def shut(self) -> None:
        """The drain time is over: close with 1012, the handshake that is still open with 503."""
        if self._state == OPEN:
            self._close(_RESTART, "service restart")
        elif self._state == CONNECTING:
            self._deny(503)
            self._closed(_RESTART, "")

    def settle(self) -> None:
        """Nothing is ever kept back."""

    # The rest is how

    def _accept(self, message: Event) -> None:
        protocol = message.get("subprotocol")
        if protocol is not None and protocol not in self._offered:
            raise ValueError(f"subprotocol {protocol!r} was not offered by the client")
        headers = list(message.get("headers") or ())
        fields = encode(headers)
        if any(bytes(name).lower() == b"sec-websocket-protocol" for name, _ in headers):
            raise ValueError("the subprotocol belongs into websocket.accept's key, not into its headers")
        name = (protocol or "").encode("latin-1")
        payload = name + b"\0" + fields.block if fields.block else name
        self._state = OPEN
        self._write(f.WS_ACCEPT, 0, payload)

    async def _message(self, message: Event) -> None:
        text, data = message.get("text"), message.get("bytes")
        if (text is None) is (data is None):
            raise ValueError("websocket.send wants exactly one of bytes and text")
        flags = 0
        if text is not None:
            if not isinstance(text, str):
                raise TypeError(f"text has to be str, not {type(text).__name__}")
            payload, flags = text.encode("utf-8"), f.FLAG_TEXT
        else:
            payload = data if type(data) is bytes else _as_bytes(data)
        size = len(payload)
        if size <= self._credit and size <= _PIECE:
            self._credit -= size
            self._write(f.WS_MESSAGE, flags, payload)
            return
        sent = 0
        while sent < size:
            while self._credit <= 0:
                await self._wait()
                if self._state == CLOSED:
                    raise ClientDisconnected("the WebSocket is closed")
            piece = payload[sent : sent + min(self._credit, _PIECE)]
            sent += len(piece)
            self._credit -= len(piece)
            self._write(f.WS_MESSAGE, flags | f.FLAG_MORE if sent < size else flags, piece)

    def _denial_start(self, message: Event) -> None:
        status = message["status"]
        if not isinstance(status, int) or not 200 <= status <= 999:
            raise _bad_status(status)
        self._head = (status, encode(message.get("headers", ())).block)
        self._state = DENYING

    async def _denial_body(self, message: Event) -> None:
        body = _as_bytes(message.get("body", b""))
        more = message.get("more_body", False)
        if self._head is not None:
            status, block = self._head
            self._head = None
            self._write(f.RESPONSE, 0 if body or more else f.FLAG_END, status.to_bytes(2, "big") + block)
            if not body and not more:
                self._closed(_ABNORMAL, "")
                return
        sent = 0
        while sent < len(body):
            while self._credit <= 0:
                await self._wait()
                if self._state == CLOSED:
                    raise ClientDisconnected("the client has disconnected")
            piece = body[sent : sent + min(self._credit, _PIECE)]
            sent += len(piece)
            self._credit -= len(piece)
            self._write(f.DATA, 0, piece)
        if not more:
            self._write(f.DATA, f.FLAG_END, b"")
            self._closed(_ABNORMAL, "")

    def _deny(self, status: int) -> None:
        self._write(f.RESPONSE, f.FLAG_END, status.to_bytes(2, "big") + b"content-length\x000")

    def _close(self, code: int, reason: str) -> None:
        self._connection.write(f.close(self.number, code, reason))
        self._closed(code, reason)

    def _closed(self, code: int, reason: str) -> None:
        """Any state to CLOSED: `receive` tells of it after the messages that wait, `send` raises."""
        self._state = CLOSED
        self._disconnect = {"type": "websocket.disconnect", "code": code, "reason": reason}
        self._part, self._part_size = [], 0
        self._wake()

    def _finish(self, error: Optional[BaseException]) -> None:
        """The app has returned or raised: end what it left open."""
        if self._state == OPEN:
            self._close(_ERROR if error is not None else _NORMAL, "")
        elif self._state == CONNECTING or (self._state == DENYING and self._head is not None):
            if error is None:
                self._connection.server.report("headrace worker: the app returned without answering the handshake")
            self._deny(500)
        elif self._state == DENYING:
            code = f.RESET_INCOMPLETE if error is None else f.RESET_APP_ERROR
            self._connection.write(f.reset(self.number, code, "the denial is not complete", f.FLAG_DONE))
            return
        self._write(f.DONE, 0, b"")

    def _taken(self, size: int) -> None:
        self._grant += size
        if self._grant * 2 >= self._connection.window and self._state == OPEN:
            self._connection.write(f.credit(self.number, self._grant))
            self._left += self._grant
            self._grant = 0

    def _write(self, kind: int, flags: int, payload: bytes) -> None:
        self._connection.write(f.frame(kind, flags, self.number, payload))

    async def _wait(self) -> None:
        waiter = self._connection.server.loop.create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


def _code(value: Any) -> int:
    if value is None:
        return _NORMAL
    if not isinstance(value, int):
        raise TypeError(f"code has to be int, not {type(value).__name__}")
    if not ((1000 <= value <= 1014 and value not in (1004, _NO_STATUS, _ABNORMAL)) or 3000 <= value <= 4999):
        raise ValueError(f"code {value} cannot be sent in a close frame")
    return value
