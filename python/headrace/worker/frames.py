"""The worker protocol's frames: constants, encoders and the decoder.

The specification is docs/spec/worker-protocol.md; this file mirrors src/protocol/frame.ts, and
src/protocol/golden/ holds the byte vectors that both are tested with. Nothing here does I/O.
"""

from __future__ import annotations

from struct import Struct
from typing import Iterable, List, NamedTuple, Optional, Tuple

VERSION = 1
MAGIC = b"HRWP"
HEADER_SIZE = 10
MAX_PAYLOAD = 1 << 20
MAX_STREAM = (1 << 31) - 1

HELLO = 0x01
REQUEST = 0x02
RESPONSE = 0x03
DATA = 0x04
TRAILERS = 0x05
RESET = 0x06
CREDIT = 0x07
INFORM = 0x08
FILE = 0x09
DONE = 0x0A
WS_ACCEPT = 0x10
WS_MESSAGE = 0x11
WS_CLOSE = 0x12
PING = 0x20
PONG = 0x21
DRAIN = 0x22

FLAG_END = 0x01
FLAG_WEBSOCKET = 0x02
FLAG_EXPECT = 0x04
FLAG_TLS = 0x08
FLAG_HTTP10 = 0x10
FLAG_HTTP2 = 0x20
FLAG_TEXT = 0x02
FLAG_MORE = 0x04
FLAG_TRAILERS = 0x40
FLAG_DONE = 0x80

RESET_CLIENT_GONE = 1
RESET_DEADLINE = 2
RESET_SHUTDOWN = 3
RESET_REFUSED = 16
RESET_APP_ERROR = 17
RESET_INCOMPLETE = 18

Frame = Tuple[int, int, int, bytes]
"""(type, flags, stream, payload)"""

Pairs = Iterable[Tuple[bytes, bytes]]

_header = Struct(">IIBB")
_u16 = Struct(">H")
_u32 = Struct(">I")
_hello = Struct(">4sHHII")
pack_header = _header.pack

# type -> (flags that may be set, on the connection, least payload, most payload)
# Only what a gateway may send; a worker never decodes its own kinds.
_SHAPES: "dict[int, Tuple[int, bool, int, int]]" = {
    HELLO: (0, True, 16, MAX_PAYLOAD),
    REQUEST: (
        FLAG_END | FLAG_WEBSOCKET | FLAG_EXPECT | FLAG_TLS | FLAG_HTTP10 | FLAG_HTTP2,
        False,
        5,
        MAX_PAYLOAD,
    ),
    DATA: (FLAG_END, False, 0, MAX_PAYLOAD),
    RESET: (0, False, 2, 1026),
    CREDIT: (0, False, 4, 4),
    WS_MESSAGE: (FLAG_TEXT | FLAG_MORE, False, 0, MAX_PAYLOAD),
    WS_CLOSE: (0, False, 2, 125),
    PING: (0, True, 8, 8),
    PONG: (0, True, 8, 8),
}


class ProtocolError(Exception):
    """A frame that the specification does not allow. The connection that carried it must be closed."""


def frame(type: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Encode one frame. `payload` is at most MAX_PAYLOAD bytes; the caller splits larger bodies."""
    return _header.pack(len(payload), stream, type, flags) + payload


def hello(window: int, column: int = 0, gateway: int = 0) -> bytes:
    """Encode HELLO; `window` is the credit in bytes that the peer gets on each new stream."""
    return frame(HELLO, 0, 0, _hello.pack(MAGIC, VERSION, column, gateway, window))


class Hello(NamedTuple):
    """A gateway's HELLO. window: bytes that this side may send on each new stream before it gets more credit."""

    column: int
    gateway: int
    window: int


def parse_hello(payload: bytes) -> Hello:
    """Decode HELLO's payload. Raises ProtocolError for another magic or version."""
    magic, version, column, gateway, window = _hello.unpack_from(payload)
    if magic != MAGIC or version != VERSION:
        raise ProtocolError(f"HELLO of {magic!r} version {version}, not {MAGIC!r} version {VERSION}")
    return Hello(column, gateway, window)


def credit(stream: int, amount: int) -> bytes:
    """Encode a grant of `amount` more bytes on `stream`."""
    return _header.pack(4, stream, CREDIT, 0) + _u32.pack(amount)


def reset(stream: int, code: int, reason: str, flags: int = 0) -> bytes:
    """Encode RESET; `reason` is cut to 1024 bytes of UTF-8."""
    return frame(RESET, flags, stream, _u16.pack(code) + reason.encode("utf-8", "replace")[:1024])


def close(stream: int, code: int, reason: str, flags: int = 0) -> bytes:
    """Encode WS_CLOSE; `reason` is cut to 123 bytes of UTF-8."""
    text = reason.encode("utf-8", "replace")[:123].decode("utf-8", "ignore").encode()
    return frame(WS_CLOSE, flags, stream, _u16.pack(code) + text)


def join_pairs(pairs: Pairs) -> bytes:
    """Join header pairs into fields. Raises TypeError for what is not bytes, ValueError for NUL, CR or LF."""
    flat: List[bytes] = []
    for name, value in pairs:
        flat.append(name)
        flat.append(value)
    block = b"\0".join(flat)
    if flat and block.count(b"\0") != len(flat) - 1:
        raise ValueError("a header name or value holds a NUL byte")
    if b"\n" in block or b"\r" in block:
        raise ValueError("a header name or value holds a line break")
    return block


def split_pairs(block: bytes) -> List[Tuple[bytes, bytes]]:
    """The pairs of a block of fields, in order."""
    if not block:
        return []
    flat = block.split(b"\0")
    if len(flat) % 2:
        raise ProtocolError("an odd number of header fields")
    return list(zip(flat[0::2], flat[1::2]))


def unpack_u16(payload: bytes) -> int:
    """The payload's first two bytes."""
    return int(_u16.unpack_from(payload)[0])


def unpack_u32(payload: bytes) -> int:
    """The payload's first four bytes."""
    return int(_u32.unpack_from(payload)[0])


def unpack_credit(payload: bytes) -> int:
    """The amount of a CREDIT. Raises ProtocolError for one that is 0 or too large."""
    amount = int(_u32.unpack_from(payload)[0])
    if not 0 < amount <= MAX_STREAM:
        raise ProtocolError(f"CREDIT of {amount} bytes")
    return amount


class Decoder:
    """Cuts a byte stream into the frames that a gateway may send.

    Checks everything that can be checked without knowing the streams (rules 1 to 4 of the specification);
    what depends on a stream's state is checked by its owner.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._parts: List[bytes] = []
        self._missing = 0
        self._offset = 0

    def feed(self, data: bytes) -> List[Frame]:
        """The frames completed by `data`. Raises ProtocolError at the first invalid one; frames before it are lost."""
        if self._missing > len(data):
            # a large frame comes in many parts: join them once, not each time
            self._missing -= len(data)
            self._parts.append(data)
            return []
        if self._rest:
            data = b"".join((self._rest, *self._parts, data))
            self._parts.clear()
        frames: List[Frame] = []
        start, size = 0, len(data)
        self._missing = 0
        unpack = _header.unpack_from
        while size - start >= HEADER_SIZE:
            length, stream, kind, flags = unpack(data, start)
            shape = _SHAPES.get(kind)
            if (
                shape is None
                or flags & ~shape[0]
                or (stream == 0) is not shape[1]
                or stream > MAX_STREAM
                or not shape[2] <= length <= shape[3]
            ):
                raise ProtocolError(self._why(kind, flags, stream, length, shape, start))
            end = start + HEADER_SIZE + length
            if end > size:
                self._missing = end - size
                break
            frames.append((kind, flags, stream, data[start + HEADER_SIZE : end]))
            start = end
        self._rest = data[start:]
        self._offset += start
        return frames

    def _why(
        self,
        kind: int,
        flags: int,
        stream: int,
        length: int,
        shape: Optional[Tuple[int, bool, int, int]],
        start: int,
    ) -> str:
        at = f"at byte {self._offset + start}"
        if shape is None:
            return f"frame of unknown type 0x{kind:02x} {at}"
        if flags & ~shape[0]:
            return f"frame of type 0x{kind:02x} with flags 0x{flags:02x} {at}"
        if (stream == 0) is not shape[1] or stream > MAX_STREAM:
            return f"frame of type 0x{kind:02x} on stream {stream} {at}"
        return f"frame of type 0x{kind:02x} with {length} bytes of payload {at}"
