"""What runs the app, whether on threads (wsgi_threads.py) or on greenlets (gevent.py): the queue, the slots, the counts."""

from __future__ import annotations

import threading
from collections import deque
from contextvars import Context, copy_context
from typing import Callable, NamedTuple

from .begun import Marks
from .disconnect import Lasting
from .wsgi_connection import Connection
from .wsgi_environ import EnvironMaker
from .wsgi_exchange import App, Exchange


class Reports(NamedTuple):
    """idle: no stream is open any more. released: a connection has ended and all of its streams are DONE, with its gateway's
    id. Both are called from any thread, without locks held."""

    idle: Callable[[], None]
    released: Callable[[int], None]


class Crew:
    """`slots`: how many app calls may run at a time."""

    def __init__(self, app: App, maker: EnvironMaker, marks: Marks, slots: int, reports: Reports) -> None:
        self._app = app
        self._maker = maker
        self._marks = marks
        self._slots = slots
        self._reports = reports
        self._base: Context = copy_context()
        self._lasting = Lasting()
        self.lock = threading.Lock()
        """Guards what follows, and Connection.open."""
        self._ready: deque[Exchange] = deque()
        self.threads = 0
        self.busy = 0
        self.open = 0
        self.begun = 0
        self.served = 0
        self.reports_idle = False
        """Whether anybody wants to know when the last stream ends."""
        self.connections: dict[int, Connection] = {}

    def lazy(self) -> bool:
        """Whether the caller may leave its response queued: someone will flush it within milliseconds."""
        return False

    def blocks(self) -> None:
        """To be called by a thread that is about to wait for something that only the reader can bring, or for a socket."""

    def disconnect(self, begun: bool) -> None:
        """Tell every open stream that its client is to be treated as gone. begun: only those that last."""
        streams = self._streams()
        for exchange in self._lasting.again(streams) if begun else streams:
            exchange.abandon()

    def _streams(self) -> list[Exchange]:
        with self.lock:
            connections = list(self.connections.values())
        return [exchange for connection in connections for exchange in list(connection.streams.values())]

    def drain(self, frame: bytes) -> None:
        """Send `frame` on every connection."""
        self._lasting.again(self._streams())
        with self.lock:
            connections = list(self.connections.values())
        for connection in connections:
            if connection.greeted:
                connection.post(frame)
                connection.flush()

    # With the lock held

    def _admit(self, exchanges: list[Exchange]) -> None:
        """Queue what a connection has read."""
        for exchange in exchanges:
            exchange.connection.open += 1
        self.open += len(exchanges)
        self._ready.extend(exchanges)

    def _next(self) -> Exchange:
        """The oldest request, marked as begun. The lock makes marks rise in order."""
        exchange = self._ready.popleft()
        self.busy += 1
        self.begun += 1
        column = exchange.connection.column
        row = self._marks.row
        if row is not None and column < len(row):
            row[column] = exchange.stream
        return exchange

    def _finished(self, exchange: Exchange) -> bool:
        """Count one request out. Whether `_report` has to be called."""
        connection = exchange.connection
        self.busy -= 1
        self.open -= 1
        self.served += 1
        connection.open -= 1
        return connection.closed or (self.reports_idle and not self.open)

    def _retire(self, connection: Connection) -> None:
        """Forget a closed connection."""
        self.connections.pop(connection.fileno(), None)
        connection.retired = True

    # Without it

    def _call(self, exchange: Exchange) -> None:
        """Run one request in a context of its own: what the app sets in context variables ends with it."""
        self._base.copy().run(exchange.run, self._app, self._maker)

    def _report(self, connection: Connection) -> None:
        """Tell what has become true: the worker is idle, or the connection's gateway is released."""
        gateway: int | None = None
        with self.lock:
            if connection.retired and not connection.open and connection.greeted:
                connection.retired = False
                gateway = connection.gateway
            idle = self.reports_idle and not self.open
        if gateway is not None:
            self._reports.released(gateway)
        if idle:
            self._reports.idle()
