"""The control connection to the platform: one JSON object a line, both ways (docs/spec/worker-protocol.md §7)."""

from __future__ import annotations

import json
import os
import platform
import socket
import threading
import time
from typing import Any, Callable, Dict, List, Optional

from .boot import Boot
from .errors import StartupError
from .phases import Phases

_MAX_LINE = 1 << 20
_MAX_TRACEBACK = 200_000

Message = Dict[str, Any]


def _exit_now() -> None:
    """The platform is gone: nobody would ever stop this process."""
    os._exit(1)


class Control:
    """`send` may be called from any thread; `receive` from one thread at a time (an event loop's reader, or a main thread).

    interface: what `ready` reports as the kind of app ("asgi", "wsgi", "function").
    phases: of the start, reported by `ready`.
    on_eof: called once when the platform has closed the connection; by default the process exits at once.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._lock = threading.Lock()
        self._rest = b""
        self._eof = False
        self.interface = ""
        self.phases = Phases(time.perf_counter())
        self.on_eof: Callable[[], None] = _exit_now

    @classmethod
    def connect(cls, boot: Boot) -> "Control":
        """Connect and say hello. Raises StartupError (code control-unreachable)."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(boot.control)
        except OSError as error:
            sock.close()
            raise StartupError(
                "boot", "control-unreachable", f"The control socket {boot.control} cannot be reached: {error}."
            ) from None
        control = cls(sock)
        control.send("hello", id=boot.id, token=boot.token, pid=os.getpid(), role=boot.role)
        return control

    def fileno(self) -> int:
        """The connection's file descriptor, for an event loop."""
        return self._socket.fileno()

    def send(self, type: str, **keys: Any) -> None:
        """Send one message. After the end of the connection it does nothing; it never raises."""
        message: Message = {"type": type}
        message.update(keys)
        line = json.dumps(message, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n"
        with self._lock:
            try:
                self._socket.sendall(line)
            except OSError:
                pass

    def ready(self, interface: str, loop: str) -> None:
        """Report that requests may come. `loop`: "asyncio", "uvloop", "threads" or "gevent"."""
        self.send(
            "ready",
            interface=self.interface or interface,
            python=platform.python_version(),
            loop=loop,
            phases={name: round(ms, 3) for name, ms in self.phases.times.items()},
        )

    def failed(self, error: StartupError) -> None:
        """Report a failed start; the caller then exits with status 3."""
        self.send(
            "failed",
            stage=error.stage,
            code=error.code,
            message=error.message,
            traceback=error.traceback()[-_MAX_TRACEBACK:],
        )

    def receive(self) -> Optional[List[Message]]:
        """Wait for bytes once, and return the messages they complete: none, if a line is still without its end.

        So it does not block when the connection is readable. None when the platform is gone (after `on_eof`). Lines that are no
        messages are skipped.
        """
        if self._eof:
            return None
        try:
            data = self._socket.recv(65536)
        except OSError:
            data = b""
        if not data or len(self._rest) > _MAX_LINE:
            self._eof = True
            self.on_eof()
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [message for message in map(_decode, lines) if message is not None]

    def close(self) -> None:
        """Close the connection: the platform takes it as this process's end."""
        with self._lock:
            self._eof = True
            self._socket.close()


def _decode(line: bytes) -> Optional[Message]:
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) and isinstance(message.get("type"), str) else None
