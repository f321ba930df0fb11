"""One request through a WSGI app: PEP 3333's start_response, write and iteration on one side, frames on the other.

    idle ──start_response──▶ headed ──first non-empty chunk, write or the end──▶ started ──▶ ended
      ▲                        │  ▲
      └───── (app fails) ──────┘  └── start_response again, with exc_info

Headers leave with the first non-empty chunk, so that an app may still replace them. `ended` is reached when the declared
content-length is sent, the iterable is exhausted, or HTTP allows no body. After it close() is called, then DONE is sent.
A RESET by the gateway may come in every state: then `gone` is set, everything that sends raises ClientDisconnected.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sized
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable

from . import frames
from .context import Origin, clock, origin_of, work
from .disconnect import ClientDisconnected
from .errors import user_traceback
from .wsgi_environ import FIELDS, EnvironMaker, split
from .wsgi_file import FileWrapper
from .wsgi_headers import encode, parse_status, without_length
from .wsgi_input import Input
from .wsgi_stream import Stream

if TYPE_CHECKING:
    from .wsgi_connection import Connection

ExcInfo = tuple[type[BaseException], BaseException, TracebackType]
Write = Callable[[bytes], None]
App = Callable[[dict[str, Any], Callable[..., Write]], Iterable[bytes]]

_END = frames.FLAG_END
_MOST_STATUSES = 256
_statuses: dict[str, int] = {}
_header = frames.pack_header
_ERROR = b"Internal Server Error\n"
_ERROR_HEAD = b"content-type\0text/plain; charset=utf-8\0content-length\0" + str(len(_ERROR)).encode()


class Exchange(Stream):
    """One app thread calls `run`; the rest is for the app."""

    __slots__ = (
        "_began",
        "_block",
        "_bodyless",
        "_ended",
        "_fields",
        "_flags",
        "_left",
        "_started",
        "_status",
    )

    def __init__(self, connection: Connection, stream: int, flags: int, payload: bytes) -> None:
        super().__init__(connection, stream, flags)
        self._flags = flags
        self._fields = split(payload)
        self._began = clock()
        self._status = 0
        self._block = b""
        self._left: int | None = None  # of the declared content-length
        self._bodyless = False
        self._started = False
        self._ended = False

    def disconnected(self) -> bool:
        """Whether the client has left (`environ["headrace.disconnected"]`)."""
        return self._gone

    @property
    def begun(self) -> bool:
        """Whether the head of the response is sent."""
        return self._started

    def id(self) -> str:
        """See Work."""
        return self._fields[3]

    def origin(self) -> Origin:
        """See Work."""
        fields = self._fields
        return origin_of(list(zip(fields[FIELDS::2], fields[FIELDS + 1 :: 2])), fields[4], self._began, self._started)

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None, /) -> Write:
        """PEP 3333's start_response. Raises TypeError, ValueError or AssertionError for what it forbids."""
        if exc_info:
            try:
                if self._started:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self._status:
            raise AssertionError("start_response was called a second time without exc_info")
        code = _statuses.get(status, 0) if type(status) is str else 0
        if not code:
            code = parse_status(status)
            if len(_statuses) < _MOST_STATUSES:
                _statuses[status] = code
        block, length = encode(headers)
        self._bodyless = code in (204, 304) or self._fields[0] == "HEAD"
        if code == 204 and length is not None:
            block = without_length(block)
        self._status, self._block, self._left = code, block, length
        return self.write

    def write(self, data: bytes, /) -> None:
        """What start_response returns. Raises ClientDisconnected, and ValueError past the declared content-length."""
        if type(data) is not bytes:
            data = _as_bytes(data)
        if not data:
            if self._gone:
                raise ClientDisconnected("the client has left")
            return
        beyond = self._left is not None and len(data) > self._left and not self._bodyless
        if not self._ended or self._gone:
            self._send(data)
        self.connection.flush()
        if beyond:
            raise ValueError("write() past the declared content-length")

    def run(self, app: App, maker: EnvironMaker) -> None:
        """Call the app and answer. Posts frames up to DONE; the caller flushes the connection. Never raises."""
        iterable: Any = None
        try:
            if self._gone:
                raise ClientDisconnected("the client has left before its request began")
            work.set(self)
            environ = maker.make(self._fields, self._flags)
            environ["wsgi.input"] = Input(self)
            environ["wsgi.file_wrapper"] = FileWrapper
            environ["headrace.disconnected"] = self.disconnected
            iterable = app(environ, self.start_response)
            if type(iterable) is not FileWrapper or not self._send_file(iterable):
                self._iterate(iterable)
        except BaseException as error:  # noqa: BLE001 (SystemExit and GreenletExit too)
            self._fail(error)
        close = getattr(iterable, "close", None)
        if close is not None:
            if not self.connection.crew.lazy():
                self.connection.flush()
            try:
                close()
            except BaseException as error:  # noqa: BLE001 (SystemExit and GreenletExit too)
                self._fail(error)
        self.connection.done(self)

    def _iterate(self, iterable: Iterable[bytes]) -> None:
        flush = self.connection.flush
        single = not self._started and isinstance(iterable, Sized) and len(iterable) == 1
        for chunk in iterable:
            if type(chunk) is not bytes:
                chunk = _as_bytes(chunk)
            if not chunk:
                if self._gone:
                    raise ClientDisconnected("the client has left")
                continue
            if single and self._status and self._left is None and not self._started:
                self._declare(len(chunk))
            self._send(chunk)
            if self._ended:
                return
            flush()
        if not self._ended:
            self._finish()

    def _declare(self, length: int) -> None:
        """Add the content-length that the server knows and the app did not give."""
        if self._status == 204 or self._status == 304:
            return
        self._left = length
        field = b"content-length\0%d" % length
        self._block = self._block + b"\0" + field if self._block else field

    def _send(self, data: bytes) -> None:
        """Post one non-empty chunk, with the head before it when it is the first."""
        if self._gone:
            raise ClientDisconnected("the client has left")
        head = b""
        if not self._started:
            head = self._start(self._bodyless or self._left == 0)
        if self._ended:
            if head:
                self.connection.post(head)
            return
        left = self._left
        if left is not None:
            if len(data) > left:
                data = data[:left]
            self._left = left = left - len(data)
        size = len(data)
        last = left == 0
        if size <= 65536 and size <= self._granted - self._sent:
            self._sent += size
            self._ended = last
            self.connection.post(head + _header(size, self.stream, frames.DATA, _END if last else 0) + data)
            return
        if head:
            self.connection.post(head)
        self._send_large(memoryview(data), last)

    def _send_large(self, view: memoryview[int], last: bool) -> None:
        """Post what credit allows, wait for more, and so on. `last`: the body ends with it."""
        connection = self.connection
        at, size = 0, len(view)
        while at < size:
            room = self._granted - self._sent
            if room <= 0:
                connection.flush()
                self._wait(self._broke)
                if self._gone:
                    raise ClientDisconnected("the client has left")
                continue
            part = min(room, size - at, frames.MAX_PAYLOAD)
            self._sent += part
            end = last and at + part == size
            connection.post(_header(part, self.stream, frames.DATA, _END if end else 0), view[at : at + part])
            at += part
        self._ended = last

    def _start(self, end: bool) -> bytes:
        """The RESPONSE frame. `end`: it is the whole response."""
        if not self._status:
            raise AssertionError("the app did not call start_response before its response body")
        self._started = True
        self._ended = end
        self._expect = self._expect and not end
        block = self._block
        return _header(len(block) + 2, self.stream, frames.RESPONSE, _END if end else 0) + _status(self._status) + block

    def _finish(self) -> None:
        """The iterable is exhausted."""
        if self._gone:
            raise ClientDisconnected("the client has left")
        if not self._started:
            if self._left and not self._bodyless:
                raise ValueError(f"the app declared a content-length of {self._left} and sent no body")
            if self._status and self._left is None and not self._bodyless:
                self._declare(0)
            self.connection.post(self._start(True))
        elif self._left:
            self._ended = True
            self._log(f"the app sent {self._left} bytes less than its content-length")
            self.connection.post(frames.reset(self.stream, frames.RESET_INCOMPLETE, "fewer bytes than content-length"))
        else:
            self._ended = True
            self.connection.post(frames.frame(frames.DATA, _END, self.stream))

    def _send_file(self, wrapper: FileWrapper) -> bool:
        """Leave the body to the gateway when it is one whole file. False: nothing was sent, iterate instead."""
        if self._gone or self._started or not self._status or self._bodyless or not self.connection.shares_files:
            return False
        found = wrapper.give_away(self._left)
        if found is None:
            return False
        path, size = found
        if self._left is None:
            self._declare(size)
        self.connection.post(self._start(False))
        self._ended = True
        self.connection.post(frames.frame(frames.FILE, 0, self.stream, path))
        return True

    def _fail(self, error: BaseException) -> None:
        """The app raised `error`, or what it did was wrong."""
        if self._gone:
            self._ended = True
            if isinstance(error, ClientDisconnected):
                return
        self._log(user_traceback(error).rstrip("\n"))
        if self._ended:
            return
        self._ended = True
        if self._started:
            reason = f"{type(error).__name__} after the response began"
            self.connection.post(frames.reset(self.stream, frames.RESET_APP_ERROR, reason))
            return
        self._started = True
        head = _status(500) + _ERROR_HEAD
        if self._fields[0] == "HEAD":
            self.connection.post(frames.frame(frames.RESPONSE, _END, self.stream, head))
            return
        self.connection.post(frames.frame(frames.RESPONSE, 0, self.stream, head))
        if self._granted >= len(_ERROR):
            self.connection.post(frames.frame(frames.DATA, _END, self.stream, _ERROR))
        else:
            self.connection.post(frames.reset(self.stream, frames.RESET_APP_ERROR, "no credit for the error page"))

    def _log(self, text: str) -> None:
        try:
            print(f"{self._fields[0]} {self._fields[1].partition('?')[0]}: {text}", file=sys.stderr, flush=True)
        except (OSError, ValueError, AttributeError):
            pass  # stderr is closed or was taken away by the app


def _status(code: int) -> bytes:
    return code.to_bytes(2, "big")


def _as_bytes(data: object) -> bytes:
    """What is not bytes: other buffers are taken, anything else raises TypeError."""
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise TypeError(f"the body has to be bytes, not {type(data).__name__}")
