"""The functions that an app has registered for the time around a fork, and when each kind of them runs.

                      before the preflight   before each fork   in each instance, once, before it serves
    headrace                                 before_fork        after_fork
    uwsgidecorators                                             postfork
    snapshot_restore_py   before_snapshot                       after_restore, in forked instances only

What runs in each instance runs after the fork, or, where the instance has imported the app itself, after that import: an app
that opens its connections there has them at every preload level. Functions of snapshot_restore_py are the exception, because
there is no restore where there was no snapshot. The two other packages are read through the lists that they publish, so that
it does not matter whether they are installed or stand in (functions/compat).
"""

from __future__ import annotations

import sys
from typing import Any, Callable, List

import headrace

from .errors import StartupError


def before_snapshot() -> None:
    """Run what snapshot_restore_py has for the time before a snapshot, the latest first, and forget it.

    Raises StartupError (stage fork, code hook-failed), as all functions here do.
    """
    hooks = _snapshot_hooks("get_before_snapshot")
    while hooks:
        _run(hooks.pop(), "before snapshot")


def before_fork() -> None:
    """Run what is to run before each fork, in the process that forks."""
    for hook in list(headrace.before_fork_hooks):
        _run(hook, "before fork")


def waiting(forked: bool) -> bool:
    """Whether `in_instance` would run anything now."""
    return any(_of_instance(forked))


def in_instance(forked: bool) -> None:
    """Run what is to run in each instance and has not run in this one, in the order of registration.

    forked: the hooks that are registered now were so before a fork; else the instance has imported the app itself.
    """
    for hooks in _of_instance(forked):
        while hooks:
            _run(hooks.pop(0), "after fork")


def _of_instance(forked: bool) -> List[List[Any]]:
    lists: List[List[Any]] = [headrace.after_fork_hooks]
    chain = getattr(sys.modules.get("uwsgidecorators"), "postfork_chain", None)
    if isinstance(chain, list):
        lists.append(chain)
    if forked:
        lists.append(_snapshot_hooks("get_after_restore"))
    return lists


def _snapshot_hooks(getter: str) -> List[Any]:
    """A list of (function, args, kwargs) of snapshot_restore_py itself, not a copy."""
    get = getattr(sys.modules.get("snapshot_restore_py"), getter, None)
    hooks = get() if callable(get) else None
    return hooks if isinstance(hooks, list) else []


def _run(hook: Any, when: str) -> None:
    function, args, kwargs = hook if isinstance(hook, tuple) else (hook, (), {})
    call: Callable[..., object] = function
    which = getattr(call, "__qualname__", repr(call))
    try:
        result: Any = call(*args, **kwargs)
        if hasattr(type(result), "__await__"):
            if hasattr(result, "close"):
                result.close()  # else Python warns that nobody awaited it
            raise TypeError("it gave something to be awaited, and there is no event loop yet")
    except Exception as error:
        message = f"The {when} hook {which} failed: {type(error).__name__}: {error}"
        raise StartupError("fork", "hook-failed", message) from error
