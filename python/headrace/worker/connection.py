"""One gateway's data connection to an ASGI instance: cuts frames, starts streams, and writes frames in batches.

What streams write in one turn of the event loop leaves in one write: `out` holds frames, and `held` the streams that
keep a frame back because what follows may be merged into it (a response head with its body, the end of a body with DONE).
`flush` at the end of the turn sends both.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Union, cast

from . import frames as f
from .stream import HttpStream
from .websocket import WebSocketStream

if TYPE_CHECKING:
    from .asgi import Server

_REQUEST = f.REQUEST
_SEPARATE = 65536
"""Frames of this size are not copied together with others."""

Stream = Union[HttpStream, WebSocketStream]


class Connection(asyncio.Protocol):
    """Made by the server's listener, one a gateway.

    lost: nothing can be sent any more. ended: the transport has told so, the streams have their disconnects.
    marks: the row of begun marks to write to, at index `column`, just before an app call; None for none.
    turn: counts flushes. credit: what the gateway grants on each new stream; window: what this side grants.
    """

    def __init__(self, server: "Server") -> None:
        self.server = server
        self.gateway = -1
        self.column = 0
        self.credit = 0
        self.window = server.window
        self.out: List[bytes] = []
        self.held: List[Stream] = []
        self.streams: Dict[int, Stream] = {}
        self.turn = 0
        self.lost = False
        self.ended = False
        self._last = 0
        self._scheduled = False
        self._decoder = f.Decoder()
        self._transport: Optional[asyncio.Transport] = None
        self.marks: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: a gateway has connected."""
        self._transport = cast(asyncio.Transport, transport)
        self.server.connections.add(self)

    def connection_lost(self, exc: Optional[Exception]) -> None:
        """asyncio: the connection has ended. Its streams are told that the client has gone."""
        self.lost = self.ended = True
        self._transport = None
        self.out.clear()
        self.held.clear()
        for stream in list(self.streams.values()):
            stream.on_reset(0, "")
        self.server.closed(self)

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes have come. An invalid frame ends the connection, and nothing else."""
        if self.lost:
            return
        scheduled, self._scheduled = self._scheduled, True
        try:
            for kind, flags, stream, payload in self._decoder.feed(data):
                if kind == _REQUEST:
                    if stream <= self._last or self.gateway < 0:
                        raise f.ProtocolError(f"REQUEST on stream {stream} after {self._last}, or before HELLO")
                    self._last = stream
                    self._open(flags, stream, payload)
                else:
                    self._other(kind, flags, stream, payload)
        except f.ProtocolError as error:
            self._refuse(error)
            return
        if self.server.eager:
            if not scheduled:
                self.flush()
        elif not scheduled:
            self.server.loop.call_soon(self.flush)

    def _open(self, flags: int, number: int, payload: bytes) -> None:
        """Start the app call for a new stream."""
        server = self.server
        if server.stopping:
            self.write(f.reset(number, f.RESET_REFUSED, "the instance stops", f.FLAG_DONE))
            return
        stream, scope = server.scopes.build(self, flags, number, payload)
        self.streams[number] = stream
        task = server.start(stream.run(server.app, scope), scope["path"])
        # One that is done would be held by its own stream: its context knows the stream.
        if not task.done():
            stream.task = task

    def _other(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if number:
            stream = self.streams.get(number)
            if stream is None:
                if number > self._last:
                    raise f.ProtocolError(f"frame of type 0x{kind:02x} on stream {number}, which was never opened")
            elif kind == f.DATA:
                stream.on_data(payload, flags & f.FLAG_END)
            elif kind == f.CREDIT:
                stream.on_credit(f.unpack_credit(payload))
            elif kind == f.RESET:
                stream.on_reset(f.unpack_u16(payload), payload[2:].decode("utf-8", "replace"))
            elif kind == f.WS_MESSAGE:
                stream.on_message(payload, flags)
            else:
                stream.on_close(f.unpack_u16(payload), payload[2:].decode("utf-8", "replace"))
        elif kind == f.PING:
            self.write(f.frame(f.PONG, 0, 0, payload))
        elif kind == f.HELLO:
            self._hello(payload)

    def _hello(self, payload: bytes) -> None:
        if self.gateway >= 0:
            raise f.ProtocolError("a second HELLO")
        hello = f.parse_hello(payload)
        self.gateway, self.column, self.credit = hello.gateway, hello.column, hello.window
        marks = self.server.marks
        self.marks = marks.row if marks.has(hello.column) else None
        self.write(f.hello(self.window))
        if self.server.draining:
            self.write(f.frame(f.DRAIN, 0, 0))

    def write(self, frame: bytes) -> None:
        """Send a frame at the end of this turn of the loop."""
        if not self.lost:
            self.out.append(frame)
            if not self._scheduled:
                self._scheduled = True
                self.server.loop.call_soon(self.flush)

    def hold(self, stream: Stream) -> None:
        """Have `stream.settle()` called at the end of this turn of the loop."""
        self.held.append(stream)
        if not self._scheduled:
            self._scheduled = True
            self.server.loop.call_soon(self.flush)

    def flush(self) -> None:
        """Send what was written in this turn of the loop."""
        self.turn += 1
        if self.held:
            held, self.held = self.held, []
            for stream in held:
                if stream.pending:
                    stream.settle()
                stream.listed = False
        self._scheduled = False
        out = self.out
        if out and self._transport is not None:
            if len(out) == 1:
                self._transport.write(out[0])
            elif max(map(len, out)) < _SEPARATE:
                self._transport.write(b"".join(out))
            else:
                self._transport.writelines(out)
            self.out = []

    def closed(self, stream: Stream) -> None:
        """The app call of `stream` has returned, and its last frame is written."""
        del self.streams[stream.number]
        server = self.server
        server.served += 1
        if server.draining or self.lost:
            server.closed(self)

    def close(self) -> None:
        """Send what is written and close."""
        if self._transport is not None:
            self.flush()
            self._transport.close()

    def _refuse(self, error: f.ProtocolError) -> None:
        who = f"gateway {self.gateway}" if self.gateway >= 0 else "a gateway"
        self.server.report(f"headrace worker: connection of {who} closed: {error}")
        self.lost = True
        if self._transport is not None:
            self._transport.abort()
