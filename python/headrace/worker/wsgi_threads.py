"""The threads of the WSGI worker: a leader and its followers.

One thread, the leader, waits for the gateways and reads; the others run the app or are parked. There is no thread that only
reads, because to hand each request from one thread to another costs more than many an app call. What happens when the leader
has read requests depends on the app:

    inline ──── a call takes longer than a tick, or waits ────▶ eager
       ▲                                                          │
       └───────────── after 16 to 1024 calls ─────────────────────┘

* eager: the leader wakes a follower to lead on, and runs a request itself; each further one is taken by the next thread.
* inline: the leader keeps the lead, runs what it has read one after another, and sends the responses together: no switch
  between threads at all. With one interpreter lock nothing is lost by it as long as calls compute and do not wait. A watchman
  looks every tick; when the call of the last look is still running, it has another thread lead, so that one call holds up
  others for two ticks at the most. What makes the app wait (its input, credit, the socket) gives the lead away at once.

After each slow call the number of eager calls before the next try doubles; after a good run it falls back. Free-threaded
builds run calls side by side, so there the crew stays eager.
"""

from __future__ import annotations

import select
import socket
import sys
import threading
import time

from .begun import Marks
from .wsgi_connection import Connection
from .wsgi_crew import Crew, Reports
from .wsgi_environ import EnvironMaker
from .wsgi_exchange import App

_TICK = 0.002
_LINGER = 0.0005
_LEAST_EAGER = 16
_MOST_EAGER = 1024
_GOOD_RUN = 4096


class ThreadCrew(Crew):
    """Serves the connections that come in on a listening socket. Threads are started when first needed, and kept."""

    def __init__(self, app: App, maker: EnvironMaker, marks: Marks, slots: int, reports: Reports) -> None:
        super().__init__(app, maker, marks, slots, reports)
        self._can_inline = getattr(sys, "_is_gil_enabled", lambda: True)()
        # Guarded by the lock
        self._leader = 0
        self._idle: list[threading.Lock] = []
        self._inline = self._can_inline
        self._running = False
        """The leader runs an app call."""
        self._calm = 0
        self._eager_left = 0
        self._penalty = _LEAST_EAGER
        self._watch_slot = threading.Lock()
        self._watch_slot.acquire()
        self._watch_parked = False
        self._held = 0.0

    def start(self, listener: socket.socket, window: int, shares_files: bool) -> None:
        """Accept and serve from now on."""
        self._listener = listener
        self._window = window
        self._shares_files = shares_files
        self._poller = select.poll()
        self._poller.register(listener, select.POLLIN)
        with self.lock:
            self._spawn()
        if self._can_inline:
            threading.Thread(target=self._watch, name="headrace-watch", daemon=True).start()

    def lazy(self) -> bool:
        """See Crew: true for the leader."""
        return self._leader == threading.get_ident()

    def blocks(self) -> None:
        """See Crew: gives the lead away."""
        if self._leader != threading.get_ident():
            return
        with self.lock:
            wake = self._give_lead()
        if wake is not None:
            wake.release()
        self._flush()

    # The threads' life

    def _work(self) -> None:
        me = threading.get_ident()
        lock = self.lock
        slot = threading.Lock()
        slot.acquire()
        lock.acquire()
        while True:
            if self._ready and self.busy < self._slots:
                self._serve(me)
            elif self._leader == me or not self._leader:
                self._leader = me
                lock.release()
                self._lead()
                lock.acquire()
            else:
                self._idle.append(slot)
                lock.release()
                slot.acquire()
                lock.acquire()

    def _serve(self, me: int) -> None:
        """Run the oldest request. Called and left with the lock held."""
        lock = self.lock
        if self._leader == me and not self._inline:
            self._leader = 0
        exchange = self._next()
        inline = self._leader == me
        wake: threading.Lock | None = None
        if not inline:
            wake = self._helper()
        else:
            self._running = True
            if self._watch_parked:
                self._watch_parked = False
                wake = self._watch_slot
        lock.release()
        if wake is not None:
            wake.release()
        began = time.perf_counter()
        self._call(exchange)
        now = time.perf_counter()
        if self._leader == me and self._ready:
            if not self._held:
                self._held = now
            elif now - self._held > _LINGER:
                self._flush()
        else:
            exchange.connection.flush()
            self._flush()
        lock.acquire()
        report = self._finished(exchange)
        self._judge(inline, self._leader == me, now - began)
        if report:
            lock.release()
            exchange.connection.flush()
            self._report(exchange.connection)
            lock.acquire()

    def _judge(self, inline: bool, leads: bool, took: float) -> None:
        """Learn from one call. Called with the lock held."""
        if inline and leads:
            self._running = False
            if took > _TICK:
                self._be_eager()
            else:
                self._calm += 1
                if self._calm >= _GOOD_RUN:
                    self._calm = 0
                    self._penalty = max(_LEAST_EAGER, self._penalty // 2)
        elif not self._inline and self._can_inline:
            self._eager_left -= 1
            if self._eager_left <= 0:
                self._inline = True

    def _be_eager(self) -> None:
        self._inline = False
        self._calm = 0
        self._eager_left = self._penalty
        self._penalty = min(_MOST_EAGER, self._penalty * 2)

    def _give_lead(self) -> threading.Lock | None:
        """Take the lead from the thread that has it. Called with the lock held; the result is to be released without it."""
        self._leader = 0
        if self._running:
            self._running = False
            self._be_eager()
        return self._helper()

    def _helper(self) -> threading.Lock | None:
        """Find a thread for what is left to do. Called with the lock held; the result is to be released without it."""
        if self._leader and not (self._ready and self.busy < self._slots):
            return None
        if self._idle:
            return self._idle.pop()
        if self.threads < self._slots + 2 + len(self.connections):
            self._spawn()
        return None

    def _spawn(self) -> None:
        self.threads += 1
        threading.Thread(target=self._work, name=f"headrace-{self.threads}", daemon=True).start()

    def _flush(self) -> None:
        self._held = 0.0
        for connection in list(self.connections.values()):
            connection.flush()

    def _watch(self) -> None:
        """The watchman's life. It looks only while there are requests."""
        lock, last = self.lock, -1
        while True:
            time.sleep(_TICK)
            wake: threading.Lock | None = None
            with lock:
                begun = self.begun
                parks = begun == last and not self._running
                stuck = begun == last and self._running
                if parks:
                    self._watch_parked = True
                elif stuck:
                    wake = self._give_lead()
            if wake is not None:
                wake.release()
            if stuck:
                self._flush()
            last = begun
            if parks:
                self._watch_slot.acquire()

    # Leading

    def _lead(self) -> None:
        """Wait for something to read, and read it. What was read is queued before anything is sent, for sending may wait,
        and so give the lead to a thread that reads on."""
        self._flush()
        try:
            events = self._poller.poll()
        except InterruptedError:
            return
        read: list[Connection] = []
        for fd, _ in events:
            connection = self.connections.get(fd)
            if connection is None:
                self._accept()
                continue
            exchanges = connection.read()
            read.append(connection)
            if exchanges:
                with self.lock:
                    self._admit(exchanges)
            if connection.closed:
                self._poller.unregister(fd)
                with self.lock:
                    self._retire(connection)
                connection.dispose()
                self._report(connection)
        for connection in read:
            connection.flush()

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        sock.setblocking(True)
        connection = Connection(sock, self, self._window, self._shares_files)
        with self.lock:
            self.connections[connection.fileno()] = connection
        self._poller.register(sock, select.POLLIN)
