"""Headrace's SDK: what an app may import to talk to the instance that runs it.

Nothing here is needed to be served; without Headrace around, the functions answer as if there were no request and no fork.
"""

from __future__ import annotations

from typing import Callable, List, Optional, TypeVar

__version__ = "0.1.0"
__all__ = ["__version__", "after_fork", "before_fork", "request_id"]

_Hook = TypeVar("_Hook", bound=Callable[[], object])

before_fork_hooks: List[Callable[[], object]] = []
after_fork_hooks: List[Callable[[], object]] = []


def request_id() -> Optional[str]:
    """The id of the request that the calling code works for, as in the access log and the `x-request-id` header.

    Known in the app call, in tasks and threads started from it with its context, None elsewhere.
    """
    from .worker.context import request_id as current

    return current.get() or None


def before_fork(hook: _Hook) -> _Hook:
    """Register `hook()` to run in the process that has imported the app, before it forks an instance. Usable as a decorator."""
    before_fork_hooks.append(hook)
    return hook


def after_fork(hook: _Hook) -> _Hook:
    """Register `hook()` to run in a forked instance before it serves. Usable as a decorator.

    The place to open what cannot be shared: connections, threads, random generators. Not run where no fork happens.
    """
    after_fork_hooks.append(hook)
    return hook
