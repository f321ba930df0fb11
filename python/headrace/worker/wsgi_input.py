"""wsgi.input: the request body as a file-like object that asks the gateway for more as the app reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .wsgi_exchange import Exchange


class Input:
    """The part of the file interface that PEP 3333 names, plus `read1` and `readable`.

    `read(n)` returns n bytes unless the body ends before. After the body's end everything is empty. When the client leaves
    before the body's end, reads past what came raise ClientDisconnected (an OSError): half a body never looks whole.
    """

    __slots__ = ("_exchange", "_rest")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._rest = b""

    def read(self, size: int | None = -1) -> bytes:
        """All of it, or `size` bytes."""
        if size is None or size < 0:
            return b"".join(self._chunks())
        rest = self._rest
        if len(rest) >= size:
            self._rest = rest[size:]
            return rest[:size]
        parts: list[bytes] = [rest] if rest else []
        missing = size - len(rest)
        self._rest = b""
        while missing > 0:
            chunk = self._exchange.take()
            if not chunk:
                break
            if len(chunk) > missing:
                self._rest = chunk[missing:]
                chunk = chunk[:missing]
            parts.append(chunk)
            missing -= len(chunk)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read1(self, size: int | None = -1) -> bytes:
        """What is there, waiting only when nothing is; at most `size` bytes."""
        chunk = self._rest or self._exchange.take()
        if size is None or size < 0 or len(chunk) <= size:
            self._rest = b""
            return chunk
        self._rest = chunk[size:]
        return chunk[:size]

    def readline(self, size: int | None = -1) -> bytes:
        """Through the next line feed, `size` bytes at most."""
        limit = -1 if size is None else size
        parts: list[bytes] = []
        length = 0
        while True:
            chunk = self._rest or self._exchange.take()
            if not chunk:
                break
            end = chunk.find(b"\n") + 1
            found = end > 0
            if not found:
                end = len(chunk)
            if 0 <= limit <= length + end:
                end = limit - length
                found = True
            parts.append(chunk[:end])
            length += end
            self._rest = chunk[end:]
            if found:
                break
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        """The lines, until they are `hint` bytes together."""
        lines: list[bytes] = []
        length = 0
        for line in self:
            lines.append(line)
            length += len(line)
            if hint is not None and 0 < hint <= length:
                break
        return lines

    def readable(self) -> bool:
        """Always."""
        return True

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def _chunks(self) -> Iterator[bytes]:
        chunk, self._rest = self._rest, b""
        if chunk:
            yield chunk
        while True:
            chunk = self._exchange.take()
            if not chunk:
                return
            yield chunk
