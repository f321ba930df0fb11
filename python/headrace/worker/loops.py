"""Which event loop runs an ASGI app, how many threads it may use, and how it is brought to its end."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Coroutine, Tuple

from .errors import StartupError

_LEAST_THREADS = 40
_CANCEL_GRACE = 2.0


def new_loop(choice: str) -> Tuple[asyncio.AbstractEventLoop, str]:
    """A new event loop and its name: uvloop where it is installed and not ruled out. Raises StartupError (uvloop-missing)."""
    if choice != "asyncio":
        try:
            import uvloop
        except ImportError as error:
            if choice == "uvloop":
                raise StartupError(
                    "boot", "uvloop-missing", f"The loop uvloop is asked for, but it cannot be imported: {error}."
                ) from None
        else:
            return uvloop.new_event_loop(), "uvloop"
    return asyncio.new_event_loop(), "asyncio"


def install_threads(loop: asyncio.AbstractEventLoop, concurrency: int) -> None:
    """Give the loop as many threads as the instance has slots: a request that holds a slot must not wait for a thread.

    Covers asyncio.to_thread (by itself at most CPUs + 4) and anyio.to_thread (by itself 40), which Starlette and FastAPI use
    for plain functions. To be called inside the loop.
    """
    size = max(concurrency, _LEAST_THREADS)
    loop.set_default_executor(ThreadPoolExecutor(size, thread_name_prefix="asyncio"))
    module: Any = sys.modules.get("anyio.to_thread")
    if module is not None:
        limiter = module.current_default_thread_limiter()
        if limiter.total_tokens < size:
            limiter.total_tokens = size


def run_to_end(loop: asyncio.AbstractEventLoop, main: "Coroutine[Any, Any, int]") -> int:
    """Run `main`, then cancel what is left, and close the loop."""
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(main)
    finally:
        try:
            _cancel_rest(loop)
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def _cancel_rest(loop: asyncio.AbstractEventLoop) -> None:
    """The platform has ended the drain time and asked for stop: what still runs is cancelled, and given a moment."""
    rest = asyncio.all_tasks(loop)
    for task in rest:
        task.cancel()
    if rest:
        loop.run_until_complete(asyncio.wait(rest, timeout=_CANCEL_GRACE))
