"""One HTTP/1.1 connection of a virtual user, as an asyncio protocol: one request at a time, kept alive between them.

    idle ──send──▶ head ──▶ body (length │ chunks │ until closed) ──▶ idle, or closed
                     │        └── closed: cut   reset   timeout ──▶ closed
                     └── closed, reset, timeout, malformed ──▶ closed

The user's task waits for a future; everything else happens in the callbacks of the transport.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Callable, Optional, Tuple, cast

from .meter import Meter

_MOST_HEAD = 256 << 10
_HEAD, _LENGTH, _CHUNK_SIZE, _CHUNK, _TRAILERS, _UNTIL_CLOSED = range(6)
_NO_BODY = (204, 304)


class TransportError(Exception):
    """A request got no whole answer. `kind` is one of the failures of src/load/messages.ts: reset, cut, timeout …"""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Answer:
    """A whole answer as it came: status, the bytes of the head without its first line, the body, and when the first byte came."""

    __slots__ = ("body", "first", "head", "status")

    def __init__(self, status: int, head: bytes) -> None:
        self.status = status
        self.head = head
        self.body = b""
        self.first = 0.0


class Connection(asyncio.Protocol):
    """A connection that was made, or is about to be."""

    def __init__(self, loop: asyncio.AbstractEventLoop, meter: Meter, idle_end: Callable[["Connection"], None]) -> None:
        self._loop = loop
        self._meter = meter
        self._idle_end = idle_end
        self._transport: Optional[asyncio.Transport] = None
        self._waiter: Optional["asyncio.Future[Answer]"] = None
        self._answer: Optional[Answer] = None
        self._first = 0.0
        self._bodiless = False
        self._state = _HEAD
        self._buffer = bytearray()
        self._chunks = bytearray()
        self._rest = 0
        self._deadline = 0.0
        self._timer: Optional[asyncio.TimerHandle] = None
        self._timer_at = 0.0
        self.reusable = False
        """The last answer left the connection fit for another request."""
        self.answers = 0

    @property
    def answering(self) -> bool:
        """A byte of the current answer has come."""
        return self._first > 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast(asyncio.Transport, transport)
        self._meter.connected()
        self.reusable = True

    def send(self, data: bytes, bodiless: bool, deadline: float) -> "asyncio.Future[Answer]":
        """Send a request; the future has its answer, or fails with TransportError. `bodiless`: HEAD, whose answer has no body."""
        if self._transport is None or self._waiter is not None:
            raise RuntimeError("a connection takes one request at a time")
        waiter = self._waiter = self._loop.create_future()
        self._first = 0.0
        self._bodiless = bodiless
        self._state = _HEAD
        self._deadline = deadline
        if self._timer is None or deadline < self._timer_at:
            self._arm()
        self._meter.bytes_out += len(data)
        self._transport.write(data)
        return waiter

    def abort(self) -> None:
        """Give the connection up, with whatever is in flight on it."""
        self.reusable = False
        self._waiter = None
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Close a connection that is idle."""
        self.reusable = False
        if self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Optional[Exception]) -> None:
        """Called by the loop, once."""
        self._meter.connections -= 1
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiter is None:
            self.reusable = False
            self._idle_end(self)
            return
        if self._state == _UNTIL_CLOSED and exc is None:
            self.reusable = False
            self._finish(bytes(self._buffer))
            return
        if isinstance(exc, ConnectionResetError):
            self._fail("reset", "The connection was reset.")
        elif self._first:
            self._fail("cut", "The connection was closed in the middle of an answer.")
        else:
            self._fail("closed", "The connection was closed before an answer began.")

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        self._meter.bytes_in += len(data)
        if self._waiter is None:
            # Nobody asked: what is said between requests cannot belong to the next one.
            self.close()
            return
        if not self._first:
            self._first = monotonic()
        if self._state == _HEAD and not self._buffer:
            if not self._whole(data):
                self._buffer += data
                self._advance()
        else:
            self._buffer += data
            self._advance()

    def _whole(self, data: bytes) -> bool:
        """The fast path: an answer with a length that came in one piece."""
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = _read_head(data[: end + 2])
        if head is None:
            return False
        status, fields, length, chunked, keep = head
        if status < 200 or chunked:
            return False
        if self._bodiless or status in _NO_BODY:
            length = 0
        if length != len(data) - end - 4:
            return False
        self.reusable = keep
        self._answer = Answer(status, fields)
        self._finish(data[end + 4 :])
        return True

    def _advance(self) -> None:
        """Go on with what is in the buffer, as far as it goes."""
        while self._waiter is not None:
            if self._state == _HEAD:
                if not self._take_head():
                    return
            elif self._state == _LENGTH:
                if len(self._buffer) < self._rest:
                    return
                if len(self._buffer) > self._rest:
                    self.reusable = False
                self._finish(bytes(self._buffer[: self._rest]))
            elif self._state == _UNTIL_CLOSED or not self._take_chunk():
                return

    def _take_head(self) -> bool:
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(buffer) > _MOST_HEAD or not b"HTTP/1.".startswith(bytes(buffer[:7])):
                self._malformed()
            return False
        head = _read_head(bytes(buffer[: end + 2]))
        del buffer[: end + 4]
        if head is None:
            self._malformed()
            return False
        status, fields, length, chunked, keep = head
        if status < 200 and status != 101:
            return True
        self.reusable = keep and status != 101
        self._answer = Answer(status, fields)
        if self._bodiless or status in _NO_BODY or status == 101:
            self._state, self._rest = _LENGTH, 0
        elif chunked:
            self._state = _CHUNK_SIZE
            self._chunks = bytearray()
        elif length >= 0:
            self._state, self._rest = _LENGTH, length
        else:
            self._state = _UNTIL_CLOSED
            self.reusable = False
        return True

    def _take_chunk(self) -> bool:
        buffer = self._buffer
        if self._state == _CHUNK:
            if len(buffer) < self._rest + 2:
                return False
            if buffer[self._rest : self._rest + 2] != b"\r\n":
                self._malformed()
                return False
            self._chunks += buffer[: self._rest]
            del buffer[: self._rest + 2]
            self._state = _CHUNK_SIZE
            return True
        end = buffer.find(b"\r\n")
        if end < 0:
            if len(buffer) > _MOST_HEAD:
                self._malformed()
            return False
        line = bytes(buffer[:end])
        del buffer[: end + 2]
        if self._state == _TRAILERS:
            if not line:
                if buffer:
                    self.reusable = False
                self._finish(bytes(self._chunks))
            return True
        try:
            self._rest = int(line.split(b";", 1)[0].strip(), 16)
        except ValueError:
            self._rest = -1
        if self._rest < 0:
            self._malformed()
            return False
        self._state = _CHUNK if self._rest else _TRAILERS
        return True

    def _finish(self, body: bytes) -> None:
        waiter, answer = self._waiter, self._answer
        self._waiter = self._answer = None
        if self._buffer:
            self._buffer = bytearray()
        self.answers += 1
        if waiter is None or answer is None:
            raise RuntimeError("an answer ends that did not begin")
        answer.body = body
        answer.first = self._first
        if not self.reusable and self._transport is not None:
            self._transport.close()
        if not waiter.done():
            waiter.set_result(answer)

    def _malformed(self) -> None:
        start = bytes(self._buffer[:40])
        self._fail("malformed", f"The answer is not HTTP/1.1: {start!r}")

    def _fail(self, kind: str, text: str) -> None:
        waiter = self._waiter
        self.abort()
        if waiter is not None and not waiter.done():
            waiter.set_exception(TransportError(kind, text))

    def _arm(self) -> None:
        """One timer serves the requests of a connection one after the other: it is set anew when it fires, not each time."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self._deadline
        self._timer = self._loop.call_later(max(0.0, self._deadline - monotonic()), self._fired)

    def _fired(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        if monotonic() < self._deadline:
            self._arm()
        else:
            self._fail("timeout", "No whole answer within the timeout.")


def _read_head(head: bytes) -> Optional[Tuple[int, bytes, int, bool, bool]]:
    """Status, fields, content length (-1: none), whether chunked, whether kept alive. None for what is no head of HTTP/1."""
    line = head.find(b"\r\n")
    if not head.startswith(b"HTTP/1.") or line < 12 or head[8] != 32:
        return None
    status = head[9:12]
    if not status.isdigit() or (line > 12 and head[12] != 32):
        return None
    low = head.lower()
    chunked = False
    at = low.find(b"\r\ntransfer-encoding:", line)
    if at >= 0:
        chunked = b"chunked" in low[at + 20 : low.find(b"\r\n", at + 2)]
    length = -1
    at = low.find(b"\r\ncontent-length:", line)
    if at >= 0:
        text = low[at + 17 : low.find(b"\r\n", at + 2)].strip()
        if not text.isdigit():
            return None
        length = int(text)
    keep = head[7] == 49
    at = low.find(b"\r\nconnection:", line)
    if at >= 0:
        tokens = low[at + 13 : low.find(b"\r\n", at + 2)]
        keep = b"close" not in tokens and (keep or b"keep-alive" in tokens)
    return int(status), head[line + 2 :], length, chunked, keep
