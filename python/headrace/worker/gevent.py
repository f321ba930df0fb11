"""WSGI on gevent: the same exchanges and connections on greenlets. gevent is imported here only, and only when asked for."""

from __future__ import annotations

import socket
from typing import Any

from .boot import Boot
from .errors import StartupError
from .wsgi_connection import Connection
from .wsgi_crew import Crew
from .wsgi_exchange import Exchange


def patch(boot: Boot) -> StartupError | None:
    """Make the standard library cooperative, when `boot` asks for gevent. To be called before the app, or anything that
    keeps sockets, locks or threads, is imported or made.

    The error (stage boot, code gevent-missing) when gevent cannot be imported: the caller raises it once it can be reported.
    """
    if boot.worker_class != "gevent":
        return None
    try:
        from gevent import monkey
    except ImportError as error:
        return StartupError(
            "boot",
            "gevent-missing",
            f"--worker-class gevent needs gevent, which cannot be imported ({error}): install it beside the app.",
        )
    monkey.patch_all()
    return None


class GreenletCrew(Crew):
    """A greenlet reads each connection, and each request runs on a greenlet of its own, `slots` at a time."""

    def start(self, listener: socket.socket, window: int, shares_files: bool) -> None:
        """Accept and serve from now on."""
        self._window = window
        self._shares_files = shares_files
        _spawn(self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            connection = Connection(sock, self, self._window, self._shares_files)
            with self.lock:
                self.connections[connection.fileno()] = connection
            _spawn(self._read, connection)

    def _read(self, connection: Connection) -> None:
        while not connection.closed:
            exchanges = connection.read()
            with self.lock:
                self._admit(exchanges)
                begun = [self._next() for _ in range(min(len(self._ready), self._slots - self.busy))]
            for exchange in begun:
                self.threads += 1
                _spawn(self._work, exchange)
            connection.flush()
        with self.lock:
            self._retire(connection)
        connection.dispose()
        self._report(connection)

    def _work(self, exchange: Exchange) -> None:
        """Run one request, and then the ones that found no slot."""
        while True:
            self._call(exchange)
            exchange.connection.flush()
            with self.lock:
                report = self._finished(exchange)
                following = self._next() if self._ready and self.busy < self._slots else None
            if report:
                self._report(exchange.connection)
            if following is None:
                break
            exchange = following
        self.threads -= 1


def _spawn(target: Any, *args: Any) -> None:
    import gevent

    gevent.spawn(target, *args)
