"""Headrace's SDK: what an app may import to talk to the instance that runs it.

Nothing here is needed to be served; without Headrace around, the functions answer as if there were no request and no fork.
"""

from __future__ import annotations

from typing import Callable, Dict, List, Mapping, Optional, TypeVar

__version__ = "0.1.0"
__all__ = ["__version__", "after_fork", "before_fork", "context_headers", "remaining", "request_id", "service_url"]

_Hook = TypeVar("_Hook", bound=Callable[[], object])

_COROUTINE = 0x80
"""inspect.CO_COROUTINE: that module takes longer to import than all of this one."""

before_fork_hooks: List[Callable[[], object]] = []
after_fork_hooks: List[Callable[[], object]] = []


def request_id() -> Optional[str]:
    """The id of the request that the calling code works for, as in the access log and the `x-request-id` header.

    Known in the app call, in tasks and threads started from it with its context, None elsewhere.
    """
    from .worker.context import request_id as current

    return current() or None


def service_url(name: str, path: str = "") -> str:
    """Where another service of the application is called, with `path` after it: `service_url("thumbnails", "/small/7")`.

    It is `HEADRACE_SERVICE_THUMBNAILS_URL`, which the platform sets. Raises LookupError when there is no such service.
    """
    from .calls import service_url as find

    return find(name, path)


def context_headers(headers: Optional[Mapping[str, str]] = None) -> Dict[str, str]:
    """Headers for a call on behalf of the current request, whose deadline, trace and priority are carried over.

    `headers` are put on top of them. For whatever sends HTTP: `httpx.get(url, headers=headrace.context_headers())`. Outside of
    requests there is nothing to carry over.
    """
    from .calls import context_headers as make

    return make(headers)


def remaining() -> Optional[float]:
    """Seconds until the response of the current request is due, perhaps none or less. A good timeout for calls on its behalf.

    None where nothing is due: outside of requests, after the response has begun, for a service without a timeout.
    """
    from .calls import remaining as left

    return left()


def before_fork(hook: _Hook) -> _Hook:
    """Register `hook()` to run in the process that has imported the app, before each fork of an instance. Usable as a decorator.

    Not run where no fork happens, nor where an instance imports the app after it. Raises TypeError for an `async def`.
    """
    _check(hook, "before_fork")
    before_fork_hooks.append(hook)
    return hook


def after_fork(hook: _Hook) -> _Hook:
    """Register `hook()` to run in each instance, once, before it serves and before its lifespan begins. Usable as a decorator.

    The place to open what instances cannot share: connections, threads, random generators. It runs after the fork; where an
    instance is not forked, or imports the app itself, after that import. Raises TypeError for an `async def`.
    """
    _check(hook, "after_fork")
    after_fork_hooks.append(hook)
    return hook


def _check(hook: Callable[[], object], kind: str) -> None:
    code = getattr(hook, "__code__", None)
    if code is not None and code.co_flags & _COROUTINE:
        name = getattr(hook, "__qualname__", repr(hook))
        raise TypeError(
            f"headrace.{kind} takes a plain function, and {name} is an async def: there is no event loop yet when it runs. "
            "What has to be awaited belongs in the lifespan of the app."
        )
