"""The line to the coordinator: JSON lines in on stdin, out on what was stdout. What user code prints goes to stderr."""

from __future__ import annotations

import json
import os
import sys
from _thread import start_new_thread
from typing import Any, Callable, Dict, Set

_MOST_NOTES = 100
_MOST_NOTE = 4_000


class Link:
    """Made once, before any user code runs: from then on only this object writes to the coordinator.

    A thread of its own reads, so that the end of the coordinator is seen while user code keeps the loop busy. It is taken
    from `_thread`: nothing here imports a module that gevent, which Locust stands on, wants to patch first, and a greenlet it
    must not be.
    """

    def __init__(self) -> None:
        self._in = os.fdopen(os.dup(0), "rb", closefd=False)
        self._out = os.dup(1)
        self._said: Set[str] = set()
        os.set_inheritable(self._out, False)
        empty = os.open(os.devnull, os.O_RDONLY)
        os.dup2(empty, 0)
        os.close(empty)
        os.dup2(2, 1)
        sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115

    def first(self) -> bytes:
        """The first line. At the end of the input, when there is no coordinator any more, the process ends."""
        line = self._in.readline()
        if not line:
            os._exit(1)
        return line

    def listen(self, received: Callable[[Dict[str, Any]], object]) -> None:
        """From now on call `received`, in another thread, with every message. At the end of the input the process ends."""

        def read() -> None:
            try:
                for line in self._in:
                    received(json.loads(line))
            finally:
                # The coordinator is gone, and nobody wants to know any more what this process would count.
                os._exit(1)

        start_new_thread(read, ())

    def send(self, message: Dict[str, Any]) -> None:
        """Send a message, whole."""
        rest = memoryview(json.dumps(message, separators=(",", ":")).encode("utf-8", "replace") + b"\n")
        while rest:
            try:
                rest = rest[os.write(self._out, rest) :]
            except BrokenPipeError:
                os._exit(1)

    def note(self, text: str, key: str = "") -> None:
        """Tell a person something; of notes with the same key, or the same text, only the first."""
        key = key or text
        if key in self._said or len(self._said) > _MOST_NOTES:
            return
        self._said.add(key)
        if len(self._said) > _MOST_NOTES:
            text = "further notes are left out"
        self.send({"type": "note", "text": text if len(text) <= _MOST_NOTE else text[:_MOST_NOTE] + " …"})

    def fail(self, message: str) -> None:
        """Tell that this process cannot do what was asked."""
        self.send({"type": "failed", "message": message})
