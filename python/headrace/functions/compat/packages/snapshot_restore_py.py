"""Stands in for the package snapshot-restore-py: a fork from the process that has imported the app is the restore."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Tuple, TypeVar

__all__ = ["get_after_restore", "get_before_snapshot", "register_after_restore", "register_before_snapshot"]

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Hook = Tuple[Callable[..., Any], Tuple[Any, ...], Dict[str, Any]]

_before_snapshot: List[_Hook] = []
_after_restore: List[_Hook] = []


def register_before_snapshot(func: _Function, *args: Any, **kwargs: Any) -> _Function:
    """Registers `func(*args, **kwargs)` to run once after the import, before any fork; the latest runs first."""
    _before_snapshot.append((func, args, kwargs))
    return func


def register_after_restore(func: _Function, *args: Any, **kwargs: Any) -> _Function:
    """Registers `func(*args, **kwargs)` to run in each forked instance before it serves; the first runs first."""
    _after_restore.append((func, args, kwargs))
    return func


def get_before_snapshot() -> List[_Hook]:
    """What `register_before_snapshot` was given and has not run, in order."""
    return _before_snapshot


def get_after_restore() -> List[_Hook]:
    """What `register_after_restore` was given, in order."""
    return _after_restore
