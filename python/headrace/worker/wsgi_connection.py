"""One gateway's data connection: frames in, frames out, and the exchanges of its open streams.

Reading is done by one thread at a time (the crew sees to it). Writing is open to all: `post` queues, `flush` sends. Whoever
finds the send lock free sends everything that is queued, also that of others, so nobody waits for the socket because of
another's bytes. The queue is bounded by the credit that the gateway has granted.

    greeting ──HELLO──▶ serving ──end of file, error, invalid frame──▶ closed ──all streams DONE──▶ released
"""

from __future__ import annotations

import socket
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING

from . import frames
from .frames import ProtocolError
from .wsgi_exchange import Exchange

if TYPE_CHECKING:
    from .wsgi_crew import Crew

_RECEIVE = 65536
_GATHER = 262144
_DONT_WAIT = getattr(socket, "MSG_DONTWAIT", 0)


class Connection:
    """window: credit in bytes that the gateway has on each new stream. credit: what it grants us on each, from its HELLO."""

    __slots__ = (
        "_decoder",
        "_last",
        "_pending",
        "_send_lock",
        "_sock",
        "closed",
        "column",
        "credit",
        "crew",
        "gateway",
        "greeted",
        "open",
        "retired",
        "shares_files",
        "state",
        "streams",
        "window",
    )

    def __init__(self, sock: socket.socket, crew: Crew, window: int, shares_files: bool) -> None:
        self._sock = sock
        self._decoder = frames.Decoder()
        self._pending: deque[bytes | memoryview[int]] = deque()
        self._send_lock = threading.Lock()
        self._last = 0
        self.crew = crew
        self.window = window
        self.shares_files = shares_files
        self.credit = 0
        self.column = 0
        self.gateway = 0
        self.greeted = False
        self.closed = False
        self.open = 0
        """Streams that are not DONE. Guarded by the crew's lock, like `retired`."""
        self.retired = False
        """Closed, and its gateway's release not reported yet."""
        self.state = threading.Lock()
        """Guards what readers and app threads share of the exchanges."""
        self.streams: dict[int, Exchange] = {}

    def fileno(self) -> int:
        """The socket."""
        return self._sock.fileno()

    def read(self) -> list[Exchange]:
        """Receive once and handle what came; the requests that it began. Closes the connection at its end."""
        try:
            data = self._sock.recv(_RECEIVE)
        except InterruptedError:
            return []
        except OSError:
            data = b""
        if not data:
            self.close()
            return []
        begun: list[Exchange] = []
        try:
            for kind, flags, stream, payload in self._decoder.feed(data):
                if kind == frames.REQUEST and self.greeted:
                    begun.append(self._begin(stream, flags, payload))
                else:
                    self._handle(kind, flags, stream, payload)
        except ProtocolError as error:
            self._refuse(error)
        return begun

    def _begin(self, stream: int, flags: int, payload: bytes) -> Exchange:
        if stream <= self._last:
            raise ProtocolError(f"REQUEST of stream {stream} after stream {self._last}")
        exchange = Exchange(self, stream, flags, payload)
        self._last = stream
        self.streams[stream] = exchange
        return exchange

    def _handle(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if not self.greeted or kind == frames.HELLO:
            self._greet(kind, payload)
            return
        if stream > self._last:
            raise ProtocolError(f"frame of type 0x{kind:02x} on stream {stream}, which was never opened")
        exchange = self.streams.get(stream)
        if kind == frames.PING:
            self.post(frames.frame(frames.PONG, 0, 0, payload))
        elif kind == frames.WS_MESSAGE and exchange is not None:
            raise ProtocolError(f"WS_MESSAGE on stream {stream}, which is no WebSocket")
        elif exchange is None:
            return
        elif kind == frames.DATA:
            exchange.feed(payload, bool(flags & frames.FLAG_END))
        elif kind == frames.CREDIT:
            amount = frames.unpack_u32(payload)
            if not 0 < amount < 1 << 31:
                raise ProtocolError(f"CREDIT of {amount} on stream {stream}")
            exchange.grant(amount)
        elif kind == frames.RESET or kind == frames.WS_CLOSE:
            exchange.abandon()

    def _greet(self, kind: int, payload: bytes) -> None:
        if kind != frames.HELLO:
            raise ProtocolError(f"frame of type 0x{kind:02x} before HELLO")
        if self.greeted:
            raise ProtocolError("a second HELLO")
        hello = frames.parse_hello(payload)
        self.column, self.gateway, self.credit = hello.column, hello.gateway, hello.window
        self.greeted = True
        self.post(frames.hello(self.window))

    def _refuse(self, error: ProtocolError) -> None:
        print(
            f"headrace worker: gateway {self.gateway} sent an invalid frame: {error}",
            file=sys.stderr,
            flush=True,
        )
        self.close()

    def close(self) -> None:
        """End the connection: its streams get a disconnect. Called by the reader."""
        self.closed = True
        for exchange in list(self.streams.values()):
            exchange.abandon()
        self._pending.clear()
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def dispose(self) -> None:
        """Free the socket, when nobody reads it any more. Waits for a thread that is sending, which fails at once."""
        with self._send_lock:
            self._sock.close()

    def done(self, exchange: Exchange) -> None:
        """The app has returned: free the slot."""
        self.streams.pop(exchange.stream, None)
        self.post(frames.frame(frames.DONE, 0, exchange.stream))

    def post(self, *parts: bytes | memoryview[int]) -> None:
        """Queue one frame; `parts` are its bytes."""
        if not self.closed:
            if len(parts) == 1:
                self._pending.append(parts[0])
            else:
                self._pending.append(b"".join(parts))

    def flush(self) -> None:
        """Send what is queued, unless another thread is at it: then that one sends it."""
        while self._pending and self._send_lock.acquire(False):
            try:
                self._drain()
            finally:
                self._send_lock.release()

    def _drain(self) -> None:
        pending = self._pending
        while pending:
            try:
                data = pending.popleft()
                if pending:
                    data = _gather(data, pending)
                sent = self._send(data)
                while sent < len(data):
                    data = memoryview(data)[sent:]
                    self.crew.blocks()
                    sent = self._sock.send(data)
            except IndexError:
                return  # close() has emptied the queue
            except OSError:
                pending.clear()
                self._end()
                return

    def _send(self, data: bytes | memoryview[int]) -> int:
        try:
            return self._sock.send(data, _DONT_WAIT)
        except BlockingIOError:
            return 0

    def _end(self) -> None:
        """Sending failed: have the reader meet the end of the file."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def _gather(first: bytes | memoryview[int], pending: deque[bytes | memoryview[int]]) -> bytes:
    """Join what is queued up to a size that one system call is likely to take."""
    parts = [first]
    size = len(first)
    while pending and size < _GATHER:
        part = pending.popleft()
        parts.append(part)
        size += len(part)
    return b"".join(parts)
