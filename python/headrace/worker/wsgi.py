"""Runs a WSGI app: listens for gateways and serves the control connection. The requests are run by a crew."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import Any

from . import frames
from .begun import Marks
from .boot import Boot
from .control import Control, Message
from .errors import StartupError
from .wsgi_crew import Reports
from .wsgi_environ import EnvironMaker
from .wsgi_exchange import App

_BACKLOG = 128


def run(app: App, boot: Boot, control: Control) -> int:
    """Serve until the platform says stop, on `boot.concurrency` threads (greenlets with worker_class gevent).

    The exit status: 0. Raises StartupError (stage boot).
    """
    return Worker(app, boot, control).run()


class Worker:
    """What the platform sees: ready, stats, drain, disconnect, stop."""

    def __init__(self, app: App, boot: Boot, control: Control) -> None:
        self._boot = boot
        self._control = control
        self._draining = False
        self._emptied = threading.Event()
        maker = EnvironMaker(boot.root_path, boot.concurrency)
        reports = Reports(idle=self._idle, released=self._released)
        self.crew = _crew(boot)(app, maker, Marks(boot), boot.concurrency, reports)

    def run(self) -> int:
        """Serve until told to stop. The exit status."""
        boot = self._boot
        listener = listen(boot.listen)
        try:
            # Only a gateway on this machine, which is one with a shared table, can open our files.
            self.crew.start(listener, boot.window, boot.table is not None)
            self._control.ready("wsgi", "gevent" if boot.worker_class == "gevent" else "threads")
            return self._obey()
        finally:
            listener.close()
            try:
                os.unlink(boot.listen)
            except OSError:
                pass

    def _obey(self) -> int:
        """Handle the platform's messages until it says stop, or is gone."""
        while True:
            messages = self._control.receive()
            if messages is None:
                return 1
            for message in messages:
                kind = message["type"]
                if kind == "drain":
                    self._drain()
                elif kind == "disconnect":
                    self.crew.disconnect(message.get("begun") is True)
                elif kind == "stats":
                    self._stats()
                elif kind == "stop":
                    self._stop(message)
                    return 0

    def _drain(self) -> None:
        self._draining = True
        self.crew.reports_idle = True
        self.crew.drain(frames.frame(frames.DRAIN, 0, 0))
        if not self.crew.open:
            self._idle()

    def _stats(self) -> None:
        crew = self.crew
        self._control.send(
            "stats",
            streams=crew.open,
            served=crew.served,
            loop_lag_ms=0,
            threads=crew.threads,
            threads_busy=crew.busy,
        )

    def _stop(self, message: Message) -> None:
        """Let running calls end, within the time given."""
        timeout = message.get("timeout_ms")
        if not isinstance(timeout, (int, float)) or isinstance(timeout, bool):
            timeout = self._boot.shutdown_timeout_ms
        deadline = time.monotonic() + timeout / 1000
        self.crew.reports_idle = True
        while True:
            self._emptied.clear()
            left = deadline - time.monotonic()
            if not self.crew.open or left <= 0 or not self._emptied.wait(left):
                break
        self._control.send("stopped")

    def _idle(self) -> None:
        self._emptied.set()
        if self._draining:
            self._control.send("idle")

    def _released(self, gateway: int) -> None:
        self._control.send("released", gateway=gateway)


def listen(path: str) -> socket.socket:
    """Listen on a Unix socket; one that is left over is replaced. Raises StartupError (code listen-failed)."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        listener.bind(path)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise StartupError("boot", "listen-failed", f"The socket {path} cannot be listened on: {error}.") from None
    return listener


def _crew(boot: Boot) -> Any:
    if boot.worker_class == "gevent":
        from .gevent import GreenletCrew

        return GreenletCrew
    from .wsgi_threads import ThreadCrew

    return ThreadCrew
