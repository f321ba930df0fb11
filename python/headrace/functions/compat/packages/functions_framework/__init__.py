"""Stands in for the package functions-framework where it is not installed: its decorators, and create_app."""

from __future__ import annotations

import functools
import inspect
import os
from typing import Any, Callable, Optional

from headrace.functions.compat import error_handlers, errorhandler
from headrace.functions.registry import describe, input_type_of

from . import _function_registry
from .exceptions import FunctionsFrameworkException, MissingSourceException

__all__ = ["cloud_event", "create_app", "errorhandler", "http", "typed"]

_Function = Callable[..., Any]


def http(func: _Function) -> _Function:
    """Registers a function of one argument, the request."""
    return _register(func, _function_registry.HTTP_SIGNATURE_TYPE)


def cloud_event(func: _Function) -> _Function:
    """Registers a function of one argument, a CloudEvent."""
    return _register(func, _function_registry.CLOUDEVENT_SIGNATURE_TYPE)


def typed(*args: Any) -> Any:
    """Registers a function of one argument whose type has from_dict. `@typed`, with an annotation, or `@typed(Type)`."""
    if len(args) == 1 and inspect.isfunction(args[0]):
        return _typed(args[0], None)
    given = args[0]
    return lambda func: _typed(func, given)


def _typed(func: _Function, given: Any) -> _Function:
    annotated = input_type_of(func)
    if given is not None and annotated is not None and given is not annotated:
        raise FunctionsFrameworkException(
            f"the typed function {func.__name__} has two input types: {given!r} and the annotation {annotated!r}"
        )
    input_type = given if given is not None else annotated
    if not callable(getattr(input_type, "from_dict", None)):
        raise FunctionsFrameworkException(
            f"the input type of the typed function {func.__name__} has to be named, by @typed(Type) or an annotation, "
            "and to have a method from_dict"
        )
    _function_registry.INPUT_TYPE_MAP[func.__name__] = input_type
    return _register(func, _function_registry.TYPED_SIGNATURE_TYPE)


def _register(func: _Function, signature: str) -> _Function:
    _function_registry.REGISTRY_MAP[func.__name__] = signature

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    return wrapper


def create_app(target: Optional[str] = None, source: Optional[str] = None, signature_type: Optional[str] = None) -> Any:
    """The WSGI or ASGI app of a function in a file, for tests. Defaults: FUNCTION_TARGET, FUNCTION_SOURCE, main.py."""
    target = target or os.environ.get("FUNCTION_TARGET", "")
    source = str(source or os.environ.get("FUNCTION_SOURCE", "main.py"))
    if not os.path.exists(source):
        raise MissingSourceException(f"File {source} that is expected to define function doesn't exist")
    module = _function_registry.load(source, target)
    function = describe(getattr(module, target), target, signature_type)
    if function.uses_asgi:
        from headrace.functions.aio import App

        return App(function)
    try:
        from headrace.functions.http import make

        return make(function, error_handlers())
    except ImportError:
        from headrace.functions import plain

        return plain.make(function, error_handlers())
