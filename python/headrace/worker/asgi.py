"""Serves an ASGI app: the event loop, the listener for gateways, and what the platform asks for over control.

STARTING ──lifespan started, listening──▶ SERVING ──drain──▶ DRAINING ──stop──▶ STOPPING (refuses new streams)
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import gc
import os
import socket
import sys
import time
from typing import Any, Callable, Coroutine, List, Optional, Set, Tuple

from . import frames as f
from . import logs
from .begun import Marks
from .boot import Boot
from .connection import Connection, Stream
from .control import Control, Message
from .detect import is_double
from .disconnect import Lasting
from .errors import StartupError
from .lifespan import Lifespan
from .loops import install_threads, new_loop, run_to_end
from .scope import Root
from .scopes import ScopeBuilder

_LAG_SAMPLE = 0.02

Starter = Callable[[Coroutine[Any, Any, None], str], "asyncio.Task[None]"]


def run(app: Any, boot: Boot, control: Control) -> int:
    """Serve until the platform says stop. The exit status. Raises StartupError."""
    loop, name = new_loop(boot.loop)
    asyncio.set_event_loop(loop)  # on 3.9 an asyncio.Event belongs to the loop that is set when it is made
    server = Server(single_callable(app), boot, control, loop)
    return run_to_end(loop, server.serve(name))


def single_callable(app: Any) -> Any:
    """An ASGI 3 app for any ASGI app: double callables (ASGI 2) are wrapped."""
    if not is_double(app):
        return app

    @functools.wraps(app, updated=())
    async def asgi3(scope: Any, receive: Any, send: Any) -> None:
        await app(scope)(receive, send)

    return asgi3


class Server:
    """One instance.

    eager: app calls begin while their frames are read, not in the loop's next turn. Not so when the app has put a task
    factory or a `call_soon` of its own into the loop.
    """

    def __init__(self, app: Any, boot: Boot, control: Control, loop: asyncio.AbstractEventLoop) -> None:
        self.app = app
        self.boot = boot
        self.control = control
        self.loop = loop
        self.window = boot.window
        self.ws_max_size = boot.ws_max_size
        self.marks = Marks(boot)
        self.connections: Set[Connection] = set()
        self.draining = False
        self._lasting = Lasting()
        self.eager = False
        self.served = 0
        self.stopping = False
        self._stop: "asyncio.Future[float]" = loop.create_future()
        self._lifespan = Lifespan(app, boot, self)
        self.scopes = ScopeBuilder(Root(boot.root_path), None)
        self.start: Starter = _starter(loop, contextvars.copy_context(), False)
        self._tasks: Set["asyncio.Task[None]"] = set()

    async def serve(self, loop_name: str) -> int:
        """Startup, listening, and at last shutdown. Returns the exit status, raises StartupError."""
        self.loop.add_reader(self.control.fileno(), self._on_control)
        listener = None
        try:
            began = time.perf_counter()
            install_threads(self.loop, self.boot.concurrency)
            await self._lifespan.startup()
            self.control.phases["lifespan"] = (time.perf_counter() - began) * 1000
            self._prepare()
            if not self._stop.done():
                listener = await self._listen()
                self.control.ready("asgi", loop_name)
            timeout = await self._stop
            self.stopping = True
            await self._lifespan.shutdown(timeout)
            self.control.send("stopped")
        finally:
            self.loop.remove_reader(self.control.fileno())
            if listener is not None:
                listener.close()
                with contextlib.suppress(OSError):
                    os.unlink(self.boot.listen)
            for connection in list(self.connections):
                connection.close()
        return 0

    def _prepare(self) -> None:
        """What can only be known after startup: the app's context, its state, its task factory."""
        lifespan = self._lifespan
        self.scopes = ScopeBuilder(Root(self.boot.root_path), lifespan.state)
        self.eager = self.loop.get_task_factory() is None and "call_soon" not in getattr(self.loop, "__dict__", {"call_soon": 0})
        self.start = _starter(self.loop, lifespan.context, self.eager)
        # Everything imported lives as long as the process: keep it out of every later collection. At level app the zygote has
        # done so; to collect the little that startup has left would write to pages that are shared with it.
        if self.boot.preload != "app":
            gc.collect()
        gc.freeze()

    async def _listen(self) -> asyncio.AbstractServer:
        path = self.boot.listen
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            before = os.umask(0o177)
            try:
                sock.bind(path)
            finally:
                os.umask(before)
            return await self.loop.create_unix_server(lambda: Connection(self), sock=sock, backlog=128)
        except OSError as error:
            sock.close()
            raise StartupError("boot", "listen-failed", f"The data socket {path} cannot be opened: {error}.") from None

    # For connections and streams

    def closed(self, connection: Connection) -> None:
        """While draining, or on a connection that is lost: a stream is DONE, or the connection has ended.

        Once the last stream of an ended connection is DONE, the platform may give its slots to others.
        """
        if connection.ended and not connection.streams and connection in self.connections:
            self.connections.discard(connection)
            if connection.gateway >= 0:
                self.control.send("released", gateway=connection.gateway)
        if self.draining and not self._streams():
            self.control.send("idle")

    def report(self, line: str) -> None:
        """Write a line to the app's log."""
        logs.report(line)

    def report_error(self, line: str, error: BaseException) -> None:
        """Write a line and a traceback to the app's log."""
        logs.report(line, error)

    # For the platform

    def _on_control(self) -> None:
        for message in self.control.receive() or ():
            kind = message["type"]
            if kind == "drain":
                self._drain()
            elif kind == "disconnect":
                streams = self._streams()
                for stream in self._lasting.again(streams) if message.get("begun") is True else streams:
                    stream.shut()
            elif kind == "stop":
                self._on_stop(message)
            elif kind == "stats":
                task = self.loop.create_task(self._stats())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _drain(self) -> None:
        if not self.draining:
            self.draining = True
            self._lasting.again(self._streams())
            for connection in self.connections:
                connection.write(f.frame(f.DRAIN, 0, 0))
        if not self._streams():
            self.control.send("idle")

    def _on_stop(self, message: Message) -> None:
        timeout = message.get("timeout_ms", self.boot.shutdown_timeout_ms)
        if not self._stop.done():
            self._stop.set_result(float(timeout) / 1000)

    def _streams(self) -> List[Stream]:
        return [stream for connection in self.connections for stream in connection.streams.values()]

    async def _stats(self) -> None:
        began = self.loop.time()
        await asyncio.sleep(_LAG_SAMPLE)
        lag = max(0.0, self.loop.time() - began - _LAG_SAMPLE) * 1000
        threads, busy = _threads(self.loop)
        self.control.send(
            "stats",
            streams=len(self._streams()),
            served=self.served,
            loop_lag_ms=round(lag, 3),
            threads=threads,
            threads_busy=busy,
        )


def _starter(loop: asyncio.AbstractEventLoop, base: contextvars.Context, eager: bool) -> Starter:
    """What makes a task, with a name, that starts in a copy of `base`."""
    make: Any = asyncio.Task
    copy = base.copy
    if eager and sys.version_info >= (3, 12):
        return lambda coroutine, name: make(coroutine, loop=loop, name=name, context=copy(), eager_start=True)
    if eager:
        return _first_step_at_once(loop, base)
    if sys.version_info >= (3, 11):
        return lambda coroutine, name: loop.create_task(coroutine, name=name, context=copy())
    # a task copies the context it is made in
    return lambda coroutine, name: base.run(_create_named, loop, coroutine, name)


def _first_step_at_once(loop: asyncio.AbstractEventLoop, base: contextvars.Context) -> Starter:
    """What `eager_start` is from CPython 3.12 on, for those before.

    A new task hands its first step to `loop.call_soon`. For that moment the loop has a `call_soon` that keeps the step, and the
    step is then run as the loop would have run it, in the task's context.
    """
    steps: List[Tuple[Callable[[], None], contextvars.Context]] = []
    target: Any = loop
    make: Any = asyncio.Task

    def keep(step: Callable[[], None], *, context: contextvars.Context) -> None:
        steps.append((step, context))

    def start(coroutine: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        target.call_soon = keep
        try:
            task: "asyncio.Task[None]" = base.run(make, coroutine, loop=target, name=name)
        finally:
            del target.call_soon
        step, context = steps.pop()
        try:
            context.run(step)
        except RuntimeError:  # inside another task, where none can be entered: as usual, then
            loop.call_soon(step, context=context)
        return task

    return start


def _create_named(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
    return loop.create_task(coroutine, name=name)


def _threads(loop: asyncio.AbstractEventLoop) -> "tuple[int, int]":
    """Size and use of the thread pool that plain functions of an async framework run on (anyio's limiter), else 0."""
    limiter: Optional[Any] = None
    module = sys.modules.get("anyio.to_thread")
    if module is not None:
        limiter = module.current_default_thread_limiter()
    if limiter is None:
        return 0, 0
    return int(limiter.total_tokens), int(limiter.borrowed_tokens)
