"""The decorators for asynchronous functions."""

from __future__ import annotations

from typing import Any, Callable

from .. import _function_registry

__all__ = ["cloud_event", "http"]


def http(func: Callable[..., Any]) -> Callable[..., Any]:
    """Registers a function, asynchronous or not, of one argument: the request, as Starlette has it."""
    return _register(func, _function_registry.HTTP_SIGNATURE_TYPE)


def cloud_event(func: Callable[..., Any]) -> Callable[..., Any]:
    """Registers a function, asynchronous or not, of one argument: a CloudEvent."""
    return _register(func, _function_registry.CLOUDEVENT_SIGNATURE_TYPE)


def _register(func: Callable[..., Any], signature: str) -> Callable[..., Any]:
    _function_registry.REGISTRY_MAP[func.__name__] = signature
    _function_registry.ASGI_FUNCTIONS.add(func.__name__)
    return func
