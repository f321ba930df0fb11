"""Stands in for uWSGI's module of this name: `postfork` alone, since everything else in it needs uWSGI."""

from __future__ import annotations

from typing import Any, Callable, List, TypeVar

__all__ = ["postfork", "postfork_chain"]

_Function = TypeVar("_Function", bound=Callable[..., Any])

postfork_chain: List[Callable[..., Any]] = []


def postfork(f: _Function) -> _Function:
    """Registers a function without arguments to run in each instance before it serves."""
    if not callable(f):
        raise RuntimeError(f"@postfork({f!r}) names a worker by its number, and instances have none: leave the number out")
    postfork_chain.append(f)
    return f
