"""The threads of the WSGI worker: a leader and its followers.

One thread, the leader, waits for the gateways and reads; the others run the app or are parked. There is no thread that only
reads, because to hand each request from one thread to another costs more than many an app call. What happens when the leader
has read requests depends on the app (wsgi_pace.py decides):

* eager: the leader wakes a follower to lead on, and runs a request itself; each further one is taken by the next thread.
* inline: the leader keeps the lead, runs what it has read one after another, and sends the responses together: no switch
  between threads at all. With one interpreter lock nothing is lost by it as long as calls compute and do not wait. A watchman
  looks every tick; when a call is found waiting, it has another thread lead, so that it holds up others for some ticks at the
  most; one that computes keeps the lead for longer, for others could not run anyway. What makes the app wait and is ours to
  know (its input, credit, the socket) gives the lead away at once.
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
from .wsgi_pace import Pace, Worker, busy_time, stands_in_line

_TICK = 0.001
_LINGER = 500_000
_MOST_LOOKS = 20


class ThreadCrew(Crew):
    """Serves the connections that come in on a listening socket. Threads are started when first needed, and kept."""

    def __init__(self, app: App, maker: EnvironMaker, marks: Marks, slots: int, reports: Reports) -> None:
        super().__init__(app, maker, marks, slots, reports)
        self._can_inline = getattr(sys, "_is_gil_enabled", lambda: True)()
        self._pace = Pace(self._can_inline)
        # Guarded by the lock
        self._leader = 0
        self._idle: list[threading.Lock] = []
        self._running: Worker | None = None
        """The leader, while it runs an app call."""
        self._watch_slot = threading.Lock()
        self._watch_slot.acquire()
        self._watch_parked = False
        self._held = 0

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
            wake = self._give_lead(waits=True)
        if wake is not None:
            wake.release()
        self._flush()

    # The threads' life

    def _work(self) -> None:
        me = threading.get_ident()
        thread = (me, threading.get_native_id())
        lock = self.lock
        slot = threading.Lock()
        slot.acquire()
        lock.acquire()
        while True:
            if self._ready and self.busy < self._slots:
                self._serve(thread)
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

    def _serve(self, thread: Worker) -> None:
        """Run the oldest request. Called and left with the lock held."""
        lock, pace = self.lock, self._pace
        me = thread[0]
        if self._leader == me and not pace.inline:
            self._leader = 0
        exchange = self._next()
        inline = self._leader == me
        wake: threading.Lock | None = None
        if not inline:
            wake = self._helper()
        else:
            pace.start(thread)
            self._running = thread
            if self._watch_parked:
                self._watch_parked = False
                wake = self._watch_slot
        lock.release()
        if wake is not None:
            wake.release()
        began = time.perf_counter_ns()
        self._call(exchange)
        now = time.perf_counter_ns()
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
        if inline and self._leader == me:
            self._running = None
            pace.inline_call(now - began)
        elif not inline:
            pace.eager_call()
        if report:
            lock.release()
            exchange.connection.flush()
            self._report(exchange.connection)
            lock.acquire()

    def _give_lead(self, waits: bool) -> threading.Lock | None:
        """Take the lead from the thread that has it. waits: because its app call waits. Called with the lock held; the result
        is to be released without it."""
        self._leader = 0
        if self._running:
            self._running = None
            if waits:
                self._pace.slow()
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
        self._held = 0
        for connection in list(self.connections.values()):
            connection.flush()

    def _watch(self) -> None:
        """The watchman's life. It looks only while calls are run inline."""
        lock = self.lock
        begun = looks = base = 0
        since = 0
        while True:
            time.sleep(_TICK)
            with lock:
                running, last, begun = self._running, begun, self.begun
                if (not running and begun == last) or not self._pace.inline:
                    self._watch_parked = True
                parked = self._watch_parked
            if parked:
                self._watch_slot.acquire()
                continue
            if not running or begun != last:
                looks = 0
                continue
            looks += 1
            now, busy = time.perf_counter_ns(), busy_time(running)
            waits = looks > 1 and (now - since) > 2 * (busy - base) and not stands_in_line(running)
            since, base = now, busy
            if waits or looks >= _MOST_LOOKS:
                self._relieve(begun, waits)

    def _relieve(self, begun: int, waits: bool) -> None:
        """Have another thread lead, if the same call still runs."""
        wake: threading.Lock | None = None
        with self.lock:
            if self._running and self.begun == begun:
                wake = self._give_lead(waits)
        if wake is not None:
            wake.release()
        self._flush()

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
