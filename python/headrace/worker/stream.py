"""One HTTP request of an ASGI app: `receive` and `send` on one side, the protocol's frames on the other.

The response's states:

    WAITING ──start──▶ HELD ──body──▶ STREAMING ──last body──▶ ENDING ──▶ ENDED
                        │ settle: the head leaves      │ settle, or the app returns: the end leaves
                        └──▶ STREAMING                 └ with trailers: TRAILING ──last trailers──▶ ENDED

HELD and ENDING keep a frame back until the turn of the loop ends or the app returns: a head leaves together with its body,
an end together with DONE. `gone` (the client has left) is apart from these: then nothing is sent any more but DONE.
"""

from __future__ import annotations

import asyncio
import os
from struct import Struct
from typing import TYPE_CHECKING, Any, Dict, List, Optional

from . import frames as f
from .context import Origin, clock, origin_of, work
from .disconnect import ClientDisconnected, only_disconnects
from .frames import pack_header
from .headers import Fields, encode

if TYPE_CHECKING:
    from .connection import Connection

WAITING, HELD, STREAMING, TRAILING, ENDING, ENDED = range(6)
_PIECE = 131072
_RESPONSE, _DATA = f.RESPONSE, f.DATA
_ERROR_BODY = b"Internal Server Error"
_ERROR_HEAD = b"content-type\0text/plain; charset=utf-8\0content-length\0" + str(len(_ERROR_BODY)).encode()

Event = Dict[str, Any]


class HttpStream:
    """bodiless: the response carries no body whatever the app sends (HEAD; later also 204 and 304).

    name: the request's id. timeout: how long it has left, milliseconds in digits, or nothing.
    """

    __slots__ = (
        "_block",
        "_body",
        "_body_done",
        "_began",
        "_bodiless",
        "_chunks",
        "_connection",
        "_credit",
        "_expect",
        "_grant",
        "_headers",
        "_id",
        "_last_turn",
        "_left",
        "_remaining",
        "_returned",
        "_shut",
        "_state",
        "_status",
        "_tail",
        "_timeout",
        "_trailers",
        "_trailers_ok",
        "_waiters",
        "gone",
        "listed",
        "number",
        "pending",
        "task",
    )

    def __init__(
        self, connection: "Connection", number: int, flags: int, bodiless: bool, name: bytes, timeout: bytes, trailers: bool
    ) -> None:
        self._connection = connection
        self.number = number
        self._id = name
        self._timeout = timeout
        self._began = clock()
        self.gone = False
        self.listed = False
        self.pending = False
        self.task: Optional[asyncio.Task[None]] = None
        self._state = WAITING
        self._status = 0
        self._block = b""
        self._body = b""
        self._bodiless = bodiless
        self._trailers_ok = trailers
        self._trailers = False
        self._tail: Optional[List[Any]] = None
        self._remaining = -1
        self._credit = connection.credit
        self._last_turn = -1
        self._chunks: Optional[List[bytes]] = None
        self._body_done = bool(flags & f.FLAG_END)
        self._returned = False
        self._expect = flags & f.FLAG_EXPECT
        self._left = 0 if self._expect else connection.window
        self._grant = 0
        self._shut = False
        self._waiters: Optional[List[asyncio.Future[None]]] = None

    async def run(self, app: Any, scope: Event) -> None:
        """The task of this request: the app call, and what its outcome means for the response."""
        self._headers: List[Any] = scope["headers"]
        work.set(self)
        connection = self._connection
        marks = connection.marks
        if marks is not None:
            marks[connection.column] = self.number
        try:
            result = await app(scope, self.receive, self.send)
        except BaseException as error:  # noqa: BLE001 (SystemExit and CancelledError end the request, not the worker)
            self._failed(error)
        else:
            if result is not None:
                connection.server.report(f"headrace worker: the app returned {type(result).__name__}, not None")
            state = self._state
            if state == ENDING and not self.gone:
                self._emit_end(f.FLAG_END | f.FLAG_DONE)
            elif state == ENDED or self.gone:
                connection.write(f.frame(f.DONE, 0, self.number))
            else:
                self._incomplete()
        self.pending = False
        self.task = None
        connection.closed(self)

    def id(self) -> str:
        """See Work."""
        return self._id.decode("utf-8", "replace")

    def origin(self) -> Origin:
        """See Work."""
        return origin_of(self._headers, self._timeout, self._began, self.begun)

    @property
    def begun(self) -> bool:
        """Whether the head of the response is sent."""
        return self._state > HELD

    # What the app calls

    async def receive(self) -> Event:
        """The next http.request event, or http.disconnect once the response is complete or the client has gone."""
        if self._expect:
            self._expect = 0
            self._left = self._connection.window
            if not self.gone:
                self._connection.write(f.credit(self.number, self._left))
        while not (self.gone or self._shut or self._state >= ENDING):
            if not self._returned and (self._chunks or self._body_done):
                return self._take()
            await self._wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Event) -> None:
        """Take one event of the app's response. Waits while the gateway grants no credit.

        Raises ClientDisconnected when the client has gone; RuntimeError for an event out of order; KeyError, TypeError
        or ValueError for an event that is malformed.
        """
        kind = message["type"]
        if self.gone:
            raise ClientDisconnected("the client has disconnected")
        if kind == "http.response.body":
            state = self._state
            if state != HELD and state != STREAMING:
                raise RuntimeError(f"unexpected {kind}: {_ORDER[state]}")
            body = message.get("body", b"")
            if type(body) is not bytes:
                body = _as_bytes(body)
            more = message.get("more_body", False)
            remaining = self._remaining
            if remaining >= 0:
                remaining -= len(body)
                if remaining < 0 or (remaining and not more):
                    self._wrong_length(remaining)
                self._remaining = remaining
            if self._bodiless:
                body = b""
            if not more and len(body) <= self._credit and len(body) <= _PIECE and not self._trailers:
                self._body = body
                self._credit -= len(body)
                self._state = ENDING
                self.pending = True
                if not self.listed:
                    self.listed = True
                    self._connection.hold(self)
                if self._waiters:
                    self._wake()
                return
            await self._body_event(body, more)
        elif kind == "http.response.start":
            if self._state != WAITING:
                raise RuntimeError(f"unexpected {kind}: {_ORDER[self._state]}")
            status = message["status"]
            if not isinstance(status, int) or not 200 <= status <= 999:
                raise _bad_status(status)
            fields: Fields = encode(message.get("headers", ()))
            self._status = status
            self._block = fields.block
            if self._bodiless or status == 204 or status == 304:
                self._bodiless = True
            else:
                self._remaining = fields.length
            if message.get("trailers", False):
                self._tail = []
                self._trailers = self._trailers_ok and not self._bodiless
            self._state = HELD
            self.pending = True
            if not self.listed:
                self.listed = True
                self._connection.hold(self)
        else:
            self._rare(kind, message)

    # What the gateway sends

    def on_data(self, payload: bytes, end: int) -> None:
        """A part of the request body."""
        size = len(payload)
        if self._body_done:
            raise f.ProtocolError(f"DATA after END on stream {self.number}")
        if size > self._left:
            raise f.ProtocolError(f"{size} bytes of DATA on stream {self.number}, which has credit for {self._left}")
        self._left -= size
        if end:
            self._body_done = True
        if self.gone or self._state >= ENDING:
            return
        if size:
            if self._chunks is None:
                self._chunks = [payload]
            else:
                self._chunks.append(payload)
        if self._waiters:
            self._wake()

    def on_credit(self, amount: int) -> None:
        """More credit for the response body."""
        self._credit += amount
        if self._waiters:
            self._wake()

    def on_reset(self, code: int, reason: str) -> None:
        """The client, or its gateway, has gone."""
        self.gone = True
        self.pending = False
        self._chunks = None
        if self._waiters:
            self._wake()

    def on_message(self, payload: bytes, flags: int) -> None:
        """WebSocket messages have no place here."""
        raise f.ProtocolError(f"WS_MESSAGE on stream {self.number}, which is no WebSocket")

    def on_close(self, code: int, reason: str) -> None:
        """WebSocket closes have no place here."""
        raise f.ProtocolError(f"WS_CLOSE on stream {self.number}, which is no WebSocket")

    def shut(self) -> None:
        """The drain time is over: `receive` tells of a disconnect, and a response that streams is cut at its next chunk.

        A response whose body comes in one piece may still complete.
        """
        self._shut = True
        if self._waiters:
            self._wake()

    def settle(self) -> None:
        """The turn of the loop ends: send what was kept back."""
        self.pending = False
        if self._state == HELD:
            self._emit_head(0)
        elif self._state == ENDING:
            self._emit_end(f.FLAG_END)

    # The rest is how

    def _take(self) -> Event:
        chunks = self._chunks
        body = b""
        if chunks:
            body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            self._chunks = None
        if self._body_done:
            self._returned = True
            return {"type": "http.request", "body": body, "more_body": False}
        self._grant += len(body)
        if self._grant * 2 >= self._connection.window:
            self._connection.write(f.credit(self.number, self._grant))
            self._left += self._grant
            self._grant = 0
        return {"type": "http.request", "body": body, "more_body": True}

    async def _wait(self) -> None:
        waiter = self._connection.server.loop.create_future()
        if self._waiters is None:
            self._waiters = [waiter]
        else:
            self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if self._waiters is not None and waiter in self._waiters:
                self._waiters.remove(waiter)

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(None)

    def _hold(self) -> None:
        self.pending = True
        if not self.listed:
            self.listed = True
            self._connection.hold(self)

    def _end(self) -> None:
        self._state = ENDING
        self._hold()
        if self._waiters:
            self._wake()

    def _emit_head(self, flags: int) -> None:
        """HELD to STREAMING."""
        block = self._block
        if self._trailers:
            flags |= f.FLAG_TRAILERS
        self._connection.out.append(_HEAD(len(block) + 2, self.number, f.RESPONSE, flags, self._status) + block)
        self._state = STREAMING
        self._block = b""
        self._status = 0

    def _emit_end(self, flags: int) -> None:
        """ENDING to ENDED, with END and perhaps DONE."""
        self._state = ENDED
        number, body = self.number, self._body
        if self._status:
            block = self._block
            if body:
                head = _HEAD(len(block) + 2, number, _RESPONSE, 0, self._status)
                frame = b"".join((head, block, pack_header(len(body), number, _DATA, flags), body))
            else:
                frame = _HEAD(len(block) + 2, number, _RESPONSE, flags, self._status) + block
        else:
            frame = pack_header(len(body), number, _DATA, flags) + body
        self._connection.out.append(frame)
        self._body = b""

    async def _body_event(self, body: bytes, more: bool) -> None:
        """A chunk that is not the last, or a last one that does not fit into the credit, or one before trailers."""
        if more and self._shut:
            raise ClientDisconnected("the server shuts down")
        connection = self._connection
        if self._state == HELD and (body or not more):
            self._emit_head(0)
            self.pending = False
        sent = 0
        while sent < len(body):
            while self._credit <= 0:
                await self._wait()
                if self.gone or (self._shut and more):
                    raise ClientDisconnected("the client has disconnected")
            piece = body[sent : sent + min(self._credit, _PIECE)]
            sent += len(piece)
            self._credit -= len(piece)
            if sent == len(body) and not more and not self._trailers:
                self._body = piece
                break
            connection.write(pack_header(len(piece), self.number, f.DATA, 0) + piece)
        if not more:
            if self._trailers:
                self._state = TRAILING
            else:
                self._end()
        elif self._last_turn == connection.turn:
            # an app that sends without ever waiting: let the loop write, and others run
            await asyncio.sleep(0)
            if self.gone:
                raise ClientDisconnected("the client has disconnected")
        self._last_turn = connection.turn

    def _rare(self, kind: str, message: Event) -> None:
        if kind == "http.response.pathsend":
            self._pathsend(message["path"])
        elif kind == "http.response.trailers":
            self._trailers_event(message)
        elif kind == "http.response.early_hint":
            self._early_hint(message["links"])
        else:
            raise RuntimeError(f"unexpected event {kind!r}")

    def _pathsend(self, path: Any) -> None:
        if self._state != HELD and (self._state != STREAMING or self._last_turn >= 0):
            raise RuntimeError(f"unexpected http.response.pathsend: {_ORDER[self._state]}")
        if not isinstance(path, str) or not os.path.isabs(path) or "\0" in path:
            raise ValueError(f"http.response.pathsend wants an absolute path, not {path!r}")
        name = os.fsencode(path)
        if not os.path.isfile(name):
            raise FileNotFoundError(f"http.response.pathsend: {path} is not a file")
        if not self._bodiless:
            if self._state == HELD:
                self._emit_head(0)
            self._connection.write(pack_header(len(name), self.number, f.FILE, 0) + name)
            self._state = ENDED
            self.pending = False
            if self._waiters:
                self._wake()
        else:
            self._end()

    def _trailers_event(self, message: Event) -> None:
        tail, state = self._tail, self._state
        if tail is None or state not in (ENDING, TRAILING, ENDED):
            raise RuntimeError(f"unexpected http.response.trailers: {_ORDER[state]}")
        tail.extend(message.get("headers", ()))
        fields = encode(tail)
        if message.get("more_trailers", False):
            return
        self._tail = None
        if state == TRAILING:
            self._state = ENDED
            self._connection.write(f.frame(f.TRAILERS, 0, self.number, fields.block))
            if self._waiters:
                self._wake()

    def _early_hint(self, links: Any) -> None:
        pairs = encode([(b"link", link) for link in links])
        if self._state == WAITING or self._state == HELD:
            self._connection.write(f.frame(f.INFORM, 0, self.number, _STATUS_103 + pairs.block))

    def _wrong_length(self, remaining: int) -> None:
        what = "longer" if remaining < 0 else "shorter"
        raise RuntimeError(f"the response's body is {what} than its content-length")

    def _failed(self, error: BaseException) -> None:
        """The app has raised."""
        connection, state = self._connection, self._state
        cut_off = only_disconnects(error) and (self.gone or self._shut)
        if not cut_off:
            connection.server.report_error("headrace worker: exception in the app", error)
        if state == ENDING and not self.gone:
            self._emit_end(f.FLAG_END | f.FLAG_DONE)
        elif state == ENDED or self.gone:
            connection.write(f.frame(f.DONE, 0, self.number))
        elif state <= HELD and not cut_off:
            self._answer_500()
        else:
            code = f.RESET_INCOMPLETE if cut_off else f.RESET_APP_ERROR
            connection.write(f.reset(self.number, code, type(error).__name__, f.FLAG_DONE))

    def _incomplete(self) -> None:
        """The app has returned, its response is not complete."""
        connection = self._connection
        if self._state == WAITING and not self._shut:
            connection.server.report("headrace worker: the app returned without a response")
            self._answer_500()
            return
        if not self._shut:
            connection.server.report("headrace worker: the app returned before its response was complete")
        connection.write(f.reset(self.number, f.RESET_INCOMPLETE, "the response is not complete", f.FLAG_DONE))

    def _answer_500(self) -> None:
        self._status, self._block, self._body = 500, _ERROR_HEAD, b"" if self._bodiless else _ERROR_BODY
        self._hold()
        self._emit_end(f.FLAG_END | f.FLAG_DONE)


_HEAD = Struct(">IIBBH").pack
_STATUS_103 = (103).to_bytes(2, "big")
_ORDER = (
    "the response has not started",
    "the response has started",
    "the response's body has begun",
    "the body is complete, trailers follow",
    "the response is complete",
    "the response is complete",
)


def _as_bytes(body: Any) -> bytes:
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    raise TypeError(f"body has to be bytes, not {type(body).__name__}")


def _bad_status(status: Any) -> Exception:
    if isinstance(status, int):
        return ValueError(f"status {status} is not one of a final response")
    return TypeError(f"status has to be int, not {type(status).__name__}")
