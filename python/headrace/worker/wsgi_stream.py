"""The gateway's side of one request: its body as it arrives, credit both ways, the client's leaving, and waiting for these.

    open ──END──▶ whole            (the request body)
    open, whole ──RESET, end of the connection──▶ gone

One thread reads the connection and calls `feed`, `grant` and `abandon`; the app's thread takes, and waits where it has to.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Callable

from . import frames
from .disconnect import ClientDisconnected

if TYPE_CHECKING:
    from .wsgi_connection import Connection


class Stream:
    """allowed: bytes of the request body that the gateway has been granted so far."""

    __slots__ = (
        "_chunks",
        "_expect",
        "_gone",
        "_granted",
        "_received",
        "_sent",
        "_taken",
        "_waiters",
        "_whole",
        "allowed",
        "connection",
        "stream",
    )

    def __init__(self, connection: Connection, stream: int, flags: int) -> None:
        self.connection = connection
        self.stream = stream
        self._whole = bool(flags & (frames.FLAG_END | frames.FLAG_WEBSOCKET))
        self._chunks: deque[bytes] = deque()
        self._expect = bool(flags & frames.FLAG_EXPECT)
        self.allowed = 0 if self._expect else connection.window
        self._received = 0
        self._taken = 0  # since the last grant
        self._granted = connection.credit
        self._sent = 0
        self._gone = False
        self._waiters: list[Any] = []

    # The reader's side

    def feed(self, payload: bytes, end: bool) -> None:
        """Body bytes have come. Raises ProtocolError beyond the credit or the body's end."""
        if self._whole:
            raise frames.ProtocolError(f"DATA after the end of the body of stream {self.stream}")
        self._received += len(payload)
        if self._received > self.allowed:
            raise frames.ProtocolError(f"DATA beyond the credit of stream {self.stream}")
        with self.connection.state:
            if payload:
                self._chunks.append(payload)
            if end:
                self._whole = True
            self._wake()

    def grant(self, amount: int) -> None:
        """The gateway takes `amount` more bytes."""
        with self.connection.state:
            self._granted += amount
            self._wake()

    def abandon(self) -> None:
        """The client is gone, or is to be treated as gone."""
        with self.connection.state:
            self._gone = True
            self._wake()

    def _wake(self) -> None:
        waiters = self._waiters
        if waiters:
            self._waiters = []
            for waiter in waiters:
                waiter.release()

    def _wait(self, blocked: Callable[[], bool]) -> None:
        """Wait until the reader has something that makes `blocked` false. Called by app threads."""
        while True:
            with self.connection.state:
                if not blocked():
                    return
                waiter = threading.Lock()
                waiter.acquire()
                self._waiters.append(waiter)
            self.connection.crew.blocks()
            waiter.acquire()

    # The request body

    def take(self) -> bytes:
        """The next bytes of the request body, empty at its end. Waits. Raises ClientDisconnected."""
        chunks = self._chunks
        if not chunks:
            if self._expect:
                self._ask()
            if not self._whole and not self._gone:
                self._wait(self._starved)
            if not chunks:
                if not self._whole:
                    raise ClientDisconnected("the client has left before its request was complete")
                return b""
        chunk = chunks.popleft()
        if not self._whole:
            self._taken += len(chunk)
            if self._taken * 2 >= self.connection.window:
                self._give(self._taken)
                self._taken = 0
        return chunk

    def _starved(self) -> bool:
        return not (self._chunks or self._whole or self._gone)

    def _ask(self) -> None:
        """Have the gateway send `100 Continue`, once, unless the answer has begun: then nobody waits for it any more."""
        self._expect = False
        if not self._whole and not self._gone:
            self._give(self.connection.window)

    def _give(self, amount: int) -> None:
        self.allowed += amount
        self.connection.post(frames.credit(self.stream, amount))
        self.connection.flush()

    def _broke(self) -> bool:
        return self._granted - self._sent <= 0 and not self._gone
