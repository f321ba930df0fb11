"""The gateway's end of a data connection, for tests: frames in, frames out. harness.py makes the connections."""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.dirname(HERE)
if HOME not in sys.path:
    sys.path.insert(0, HOME)

from headrace.worker import frames as f  # noqa: E402

DEADLINE = 30.0
WINDOW = 65536
CLIENT = b"192.0.2.7 40000 127.0.0.1 8080"

Headers = Sequence[Tuple[str, str]]
_header = struct.Struct(">IIBB")


class Frame(NamedTuple):
    """One frame from the worker."""

    type: int
    flags: int
    stream: int
    payload: bytes

    @property
    def status(self) -> int:
        """Status of a RESPONSE, INFORM, code of a RESET or WS_CLOSE."""
        return int.from_bytes(self.payload[:2], "big")

    @property
    def pairs(self) -> List[Tuple[bytes, bytes]]:
        """Header pairs of a RESPONSE, INFORM or TRAILERS."""
        return f.split_pairs(self.payload if self.type == f.TRAILERS else self.payload[2:])

    @property
    def done(self) -> bool:
        """Whether the frame is DONE, or carries the flag."""
        return self.type == f.DONE or bool(self.flags & f.FLAG_DONE)

    @property
    def end(self) -> bool:
        """Whether END is set."""
        return bool(self.flags & f.FLAG_END)


class Answer(NamedTuple):
    """A whole response. reset: code of a RESET by the worker, or None."""

    status: int
    headers: List[Tuple[bytes, bytes]]
    body: bytes
    reset: Optional[int]
    trailers: Optional[List[Tuple[bytes, bytes]]]
    file: Optional[bytes]
    frames: List[Frame]

    def header(self, name: bytes) -> Optional[bytes]:
        """The first value of a header."""
        return next((value for key, value in self.headers if key == name), None)

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class Stream:
    """One stream of a gateway connection."""

    def __init__(self, gateway: "Gateway", number: int) -> None:
        self.gateway = gateway
        self.number = number

    def send(self, kind: int, payload: bytes = b"", flags: int = 0) -> None:
        """Send any frame on this stream."""
        self.gateway.send(f.frame(kind, flags, self.number, payload))

    def data(self, body: bytes, end: bool = False) -> None:
        """Send request body."""
        self.send(f.DATA, body, f.FLAG_END if end else 0)

    def credit(self, amount: int) -> None:
        """Let the worker send `amount` more bytes."""
        self.gateway.send(f.credit(self.number, amount))

    def reset(self, code: int = f.RESET_CLIENT_GONE, reason: str = "") -> None:
        """The client has gone."""
        self.gateway.send(f.reset(self.number, code, reason))

    def text(self, text: str) -> None:
        """Send a WebSocket text message."""
        self.send(f.WS_MESSAGE, text.encode(), f.FLAG_TEXT)

    def next(self) -> Frame:
        """The next frame of this stream."""
        return self.gateway.next(self.number)

    def expect(self, kind: int) -> Frame:
        """The next frame of this stream, which has to be of this type."""
        frame = self.next()
        assert frame.type == kind, f"expected type 0x{kind:02x}, got {frame}"
        return frame

    def expect_done(self) -> None:
        """The next frame is DONE."""
        frame = self.next()
        assert frame.done, f"expected DONE, got {frame}"

    def answer(self, grant: bool = True) -> Answer:
        """Read to DONE. grant: give back credit for what was read, so that large bodies come."""
        status, headers, reset = 0, [], None
        trailers: Optional[List[Tuple[bytes, bytes]]] = None
        file: Optional[bytes] = None
        body: List[bytes] = []
        seen: List[Frame] = []
        while True:
            frame = self.next()
            seen.append(frame)
            if frame.type == f.RESPONSE:
                assert not status, "a second RESPONSE"
                status, headers = frame.status, frame.pairs
            elif frame.type == f.DATA:
                body.append(frame.payload)
                if grant and frame.payload and not frame.end:
                    self.credit(len(frame.payload))
            elif frame.type == f.RESET:
                reset = frame.status
            elif frame.type == f.TRAILERS:
                trailers = frame.pairs
            elif frame.type == f.FILE:
                file = frame.payload
            if frame.done:
                return Answer(status, headers, b"".join(body), reset, trailers, file, seen)


class Gateway:
    """One data connection, as a gateway makes it. window: the worker's grant on each stream, from its HELLO."""

    def __init__(self, path: str, window: int = WINDOW, column: int = 0, gateway: int = 1, hello: bool = True) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self.socket.settimeout(DEADLINE)
        self._buffer = b""
        self._frames: Dict[int, List[Frame]] = {}
        self._last = 0
        self.window = 0
        if hello:
            self.send(f.hello(window, column, gateway))
            self.window = f.parse_hello(self.next(0).payload).window

    def __enter__(self) -> "Gateway":
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        """Send raw bytes."""
        self.socket.sendall(data)

    def close(self) -> None:
        """End the connection."""
        self.socket.close()

    def next(self, stream: int) -> Frame:
        """The next frame of a stream (0: of the connection). Raises EOFError at the connection's end."""
        while not self._frames.get(stream):
            self._read()
        return self._frames[stream].pop(0)

    def next_any(self) -> Frame:
        """The next frame of any stream that has one."""
        while True:
            for queue in self._frames.values():
                if queue:
                    return queue.pop(0)
            self._read()

    def closed_by_worker(self) -> bool:
        """Read until the worker ends the connection; True when it does."""
        try:
            while True:
                self._read()
        except (EOFError, ConnectionError):
            return True

    def _read(self) -> None:
        try:
            data = self.socket.recv(1 << 20)
        except socket.timeout:
            raise TimeoutError(f"no frame within {DEADLINE} s") from None
        if not data:
            raise EOFError("the worker has closed the connection")
        self._buffer += data
        start = 0
        while len(self._buffer) - start >= 10:
            length, stream, kind, flags = _header.unpack_from(self._buffer, start)
            assert length <= f.MAX_PAYLOAD, f"a frame of {length} bytes"
            if len(self._buffer) - start - 10 < length:
                break
            payload = self._buffer[start + 10 : start + 10 + length]
            self._frames.setdefault(stream, []).append(Frame(kind, flags, stream, payload))
            start += 10 + length
        self._buffer = self._buffer[start:]

    def request(
        self,
        method: str = "GET",
        target: Union[str, bytes] = "/",
        headers: Headers = (),
        body: Optional[bytes] = b"",
        flags: int = 0,
        peers: bytes = CLIENT,
        request_id: str = "request-1",
        tls: str = "",
        timeout: str = "",
    ) -> Stream:
        """Open a stream. body: sent at once, with END; None: the caller sends it (always so for WebSockets)."""
        self._last += 1
        if isinstance(target, str):
            target = target.encode("latin-1")
        fields = [method.encode(), target, peers, request_id.encode(), timeout.encode(), tls.encode()]
        for name, value in headers:
            fields += [name.encode("latin-1"), value.encode("latin-1")]
        if body == b"":
            flags |= f.FLAG_END
        out = f.frame(f.REQUEST, flags, self._last, b"\0".join(fields))
        if body:
            out += f.frame(f.DATA, f.FLAG_END, self._last, body)
        self.send(out)
        return Stream(self, self._last)

    def get(self, target: Union[str, bytes] = "/", headers: Headers = (), **more: Any) -> Answer:
        """GET, to its end."""
        return self.request("GET", target, headers, **more).answer()

    def post(self, target: str, body: bytes, headers: Headers = (), **more: Any) -> Answer:
        """POST with a body that fits into the window, to its end."""
        headers = [("content-length", str(len(body))), *headers]
        return self.request("POST", target, headers, body, **more).answer()

    def websocket(self, target: str = "/", headers: Headers = (), **more: Any) -> Stream:
        """Open a WebSocket stream."""
        flags = more.pop("flags", 0) | f.FLAG_WEBSOCKET
        return self.request("GET", target, headers, None, flags=flags, **more)
