"""The app's stdout and stderr become log lines of the platform (docs/spec/worker-protocol.md §8)."""

from __future__ import annotations

import io
import json
import os
import socket
import sys
import threading
from typing import Any, Optional

from .boot import Boot
from .context import request_id
from .errors import StartupError, user_traceback

_MARK_BEGIN, _MARK_END = "\x1e", "\x1f"
_LONGEST = 65536
"""Characters of a line that has no end yet before it is sent all the same."""


class LineStream(io.TextIOWrapper):
    """A text stream that begins each line written inside a request with `0x1E request-id 0x1F`.

    Lines leave whole, when they are complete: those of several threads and requests do not mix. A line that is not complete
    waits for its end, `flush`, or for another request to write.
    """

    def __init__(self, fd: int, name: str) -> None:
        raw = io.FileIO(fd, "w", closefd=False)
        super().__init__(io.BufferedWriter(raw), "utf-8", "backslashreplace", newline="\n")
        self._label = name
        self._mutex = threading.RLock()
        self._open = ""
        self._owner = ""
        self._inside = False

    @property
    def name(self) -> str:
        """`<stdout>` or `<stderr>`, as Python's own."""
        return self._label

    @property
    def line_buffering(self) -> bool:
        """True: complete lines leave at once."""
        return True

    def write(self, text: str) -> int:
        """Write text; complete lines leave at once."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        owner = request_id()
        with self._mutex:
            if owner != self._owner and (self._open or self._inside):
                self._send(self._open + "\n", self._owner)
                self._open = ""
            self._owner = owner
            text_open = self._open + text
            end = text_open.rfind("\n") + 1
            if end:
                self._send(text_open[:end], owner)
            self._open = text_open[end:]
            if len(self._open) > _LONGEST:
                self._send(self._open, owner)
                self._open = ""
        return len(text)

    def flush(self) -> None:
        """Send also a line that is not complete; the platform joins what follows to it."""
        with self._mutex:
            if self._open:
                self._send(self._open, self._owner)
                self._open = ""
            super().flush()

    def _send(self, text: str, owner: str) -> None:
        """Write to the descriptor, with a mark at the begin of each line. `_inside`: the last line sent has no end yet."""
        ended = text.endswith("\n")
        if owner:
            mark = _MARK_BEGIN + owner + _MARK_END
            marked = (text[:-1] if ended else text).replace("\n", "\n" + mark)
            text = ("" if self._inside else mark) + marked + ("\n" if ended else "")
        self._inside = not ended
        super().write(text)
        super().flush()


def redirect(boot: Boot) -> None:
    """Make file descriptors 1 and 2 the platform's log socket. Raises StartupError (code logs-unreachable)."""
    if boot.logs is None:
        return
    flush()
    for name, fd in (("stdout", 1), ("stderr", 2)):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(boot.logs)
            line = {"id": boot.id, "token": boot.token, "stream": name}
            sock.sendall(json.dumps(line).encode() + b"\n")
        except OSError as error:
            raise StartupError("boot", "logs-unreachable", f"The log socket {boot.logs} cannot be reached: {error}.") from None
        os.dup2(sock.fileno(), fd, inheritable=True)
        sock.close()
        _replace(name, fd)


def _replace(name: str, fd: int) -> None:
    """Put a LineStream in the place of sys.stdout or sys.stderr, also where logging handlers have taken the old one."""
    old: Any = getattr(sys, name)
    new = LineStream(fd, f"<{name}>")
    setattr(sys, name, new)
    setattr(sys, f"__{name}__", new)
    logging = sys.modules.get("logging")
    if logging is None or old is None:
        return
    for reference in list(getattr(logging, "_handlerList", ())):
        handler = reference()
        if handler is not None and getattr(handler, "stream", None) is old and hasattr(handler, "setStream"):
            handler.setStream(new)


def report(line: str, error: Optional[BaseException] = None) -> None:
    """Write one line, and the user's part of a traceback, to stderr in one piece. Never raises."""
    text = line + "\n"
    try:
        if error is not None:
            text += user_traceback(error)
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass


def flush() -> None:
    """Send what the text streams still hold. Never raises."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass
