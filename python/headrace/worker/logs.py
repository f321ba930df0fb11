"""The app's stdout and stderr become log lines of the platform (docs/spec/worker-protocol.md §8)."""

from __future__ import annotations

import io
import json
import os
import socket
import sys
from typing import TextIO

from .boot import Boot
from .context import request_id
from .errors import StartupError


class LineStream(io.TextIOWrapper):
    """A text stream that begins each line written inside a request with `0x1E request-id 0x1F`.

    Lines leave whole, when they are complete: lines of several threads do not mix.
    """


def redirect(boot: Boot) -> None:
    """Connect file descriptors 1 and 2 to the platform's log socket. Raises StartupError (code logs-unreachable)."""
    if boot.logs is None:
        return
    for name, fd in (("stdout", 1), ("stderr", 2)):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(boot.logs)
            line = {"id": boot.id, "token": boot.token, "stream": name}
            sock.sendall(json.dumps(line).encode() + b"\n")
        except OSError as error:
            raise StartupError(
                "boot", "logs-unreachable", f"The log socket {boot.logs} cannot be reached: {error}."
            ) from None
        os.dup2(sock.fileno(), fd)
        sock.close()


def flush() -> None:
    """Send what the text streams still hold. Never raises."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass
