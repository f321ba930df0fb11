"""Lets a file that is written for functions-framework, and hooks that are written for uWSGI or SnapStart, be imported where
those packages, or what they need, are not installed.

packages/ holds small packages of the same names. They stand at the end of sys.path, so that installed ones win.
"""

from __future__ import annotations

import os
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Callable, List, Optional, Sequence, Tuple

_PACKAGES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "packages")
_NAME = "functions_framework"

_error_handlers: List[Tuple[Any, Callable[..., Any]]] = []


def offer() -> None:
    """Make the packages importable. To be called before the app is imported; a second call does nothing."""
    if _PACKAGES not in sys.path:
        sys.path.append(_PACKAGES)
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def errorhandler(what: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`@functions_framework.errorhandler(code_or_exception)`: keeps the handler until the function's app is made."""

    def register(handler: Callable[..., Any]) -> Callable[..., Any]:
        _error_handlers.append((what, handler))
        return handler

    return register


def error_handlers() -> List[Tuple[Any, Callable[..., Any]]]:
    """What `errorhandler` was given, in order."""
    return list(_error_handlers)


class _Finder(MetaPathFinder):
    """Finds the installed functions_framework as usual, and gives it our `errorhandler`.

    The package makes its Flask app before it imports the function's file, and only then has an errorhandler that works. Here
    the file is imported first.
    """

    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]], target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        if fullname != _NAME:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(fullname, path, target) if find is not None and finder is not self else None
            if spec is not None:
                _hook(spec)
                return spec  # type: ignore[no-any-return]
        return None


def _hook(spec: ModuleSpec) -> None:
    loader: Any = spec.loader
    execute = getattr(loader, "exec_module", None)
    if execute is None:
        return

    def execute_and_set(module: ModuleType) -> None:
        execute(module)
        module.__dict__["errorhandler"] = errorhandler

    loader.exec_module = execute_and_set
