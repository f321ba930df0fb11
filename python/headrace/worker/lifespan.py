"""ASGI lifespan: once an instance, in the loop that serves its requests, after the fork.

IDLE ──startup──▶ STARTING ──complete──▶ STARTED ──shutdown──▶ STOPPING ──complete, failed──▶ ENDED
                     ├── raised or returned: UNSUPPORTED (auto), StartupError (on)
                     └── failed, time is over: StartupError
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any, Dict, Optional

from .boot import Boot
from .errors import StartupError

if TYPE_CHECKING:
    from .asgi import Server

_LAST_WORDS = 1.0
"""Seconds that an app has to raise the exception behind the failure it reported."""

IDLE, STARTING, STARTED, UNSUPPORTED, STOPPING, ENDED = range(6)

Event = Dict[str, Any]


class Lifespan:
    """state: what the app put there, for each request a shallow copy of it. context: the app's context after startup."""

    def __init__(self, app: Any, boot: Boot, server: "Server") -> None:
        self._app = app
        self._mode = boot.lifespan
        self._startup_timeout = boot.startup_timeout_ms / 1000
        self._server = server
        self.state: Event = {}
        self.context = contextvars.copy_context()
        self._phase = IDLE
        self._task: Optional[asyncio.Task[None]] = None
        self._changed = asyncio.Event()
        self._shutdown = asyncio.Event()
        self._asked = 0
        self._failure: Optional[str] = None
        self._error: Optional[BaseException] = None

    async def startup(self) -> None:
        """Run the app's startup. Raises StartupError (codes lifespan-failed, lifespan-timeout, lifespan-unsupported)."""
        if self._mode == "off":
            self._phase = UNSUPPORTED
            return
        self._phase = STARTING
        self._task = asyncio.ensure_future(self._run())
        if not await self._reached(self._startup_timeout):
            raise StartupError(
                "lifespan", "lifespan-timeout", f"The app's startup did not complete within {self._startup_timeout:g} s."
            )
        if self._failure is not None:
            await asyncio.wait({self._task}, timeout=_LAST_WORDS)
            lines = self._failure.strip().splitlines() or ["it gave no reason"]
            detail = self._failure if len(lines) > 1 else ""
            raise StartupError("lifespan", "lifespan-failed", f"The app's startup failed: {lines[-1]}", detail) from self._error
        if self._phase == UNSUPPORTED:
            self._unsupported()

    def _unsupported(self) -> None:
        error = self._error
        if self._mode == "on":
            why = f"{type(error).__name__}: {error}" if error else "the app returned from its lifespan call"
            raise StartupError("lifespan", "lifespan-unsupported", f"The app does not take part in lifespan: {why}") from error
        if error is not None and self._asked:
            # it took the startup event, so this is more likely a bug than a missing feature
            self._server.report_error("headrace worker: exception in the app's lifespan startup, serving without", error)

    async def shutdown(self, timeout: float) -> None:
        """Run the app's shutdown. A failure or a timeout (seconds) is logged, never raised."""
        if self._phase != STARTED or self._task is None:
            return
        self._phase = STOPPING
        self._changed.clear()
        self._shutdown.set()
        if not await self._reached(timeout):
            self._server.report(f"headrace worker: the app's shutdown did not complete within {timeout:g} s")
        elif self._failure is not None:
            self._server.report(f"headrace worker: the app's shutdown failed: {self._failure}")
        elif self._error is not None:
            self._server.report_error("headrace worker: exception in the app's lifespan shutdown", self._error)
        self._phase = ENDED

    async def _reached(self, timeout: float) -> bool:
        try:
            await asyncio.wait_for(self._changed.wait(), timeout or None)
        except asyncio.TimeoutError:
            return False
        return True

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._receive, self._send)
        except BaseException as error:  # noqa: BLE001 (whatever it raises, the specification wants the server to go on)
            self._error = error
        if self._phase == STARTING and self._failure is None:
            self._phase = UNSUPPORTED
        elif self._phase == STARTED:
            if self._error is not None:
                self._server.report_error("headrace worker: the app's lifespan ended early", self._error)
            self._phase = ENDED
        self._changed.set()

    async def _receive(self) -> Event:
        self._asked += 1
        if self._asked == 1:
            return {"type": "lifespan.startup"}
        await self._shutdown.wait()
        if self._asked == 2:
            return {"type": "lifespan.shutdown"}
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    async def _send(self, message: Event) -> None:
        kind = message["type"]
        if self._phase == STARTING and kind == "lifespan.startup.complete":
            self.context = contextvars.copy_context()
            self._phase = STARTED
        elif self._phase == STARTING and kind == "lifespan.startup.failed":
            self._failure = str(message.get("message", ""))
        elif self._phase == STOPPING and kind == "lifespan.shutdown.complete":
            pass
        elif self._phase == STOPPING and kind == "lifespan.shutdown.failed":
            self._failure = str(message.get("message", ""))
        else:
            raise RuntimeError(f"unexpected {kind} in the lifespan")
        self._changed.set()
