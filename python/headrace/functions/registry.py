"""Which signature a function has: decorator, then option, then environment, then what its parameters say."""

from __future__ import annotations

import inspect
import os
import sys
from typing import Any, Callable, NamedTuple, Optional

HTTP = "http"
CLOUD_EVENT = "cloudevent"
EVENT = "event"
TYPED = "typed"
SIGNATURES = (HTTP, CLOUD_EVENT, EVENT, TYPED)

_REGISTRY = "functions_framework._function_registry"
_EVENT_NAMES = ("cloud_event", "cloudevent", "ce")
_TRUE = ("1", "t", "true", "y", "yes", "on")


class Function(NamedTuple):
    """A function and how it is called. uses_asgi: on the event loop, with a Starlette request."""

    call: Callable[..., Any]
    target: str
    signature: str
    uses_asgi: bool
    input_type: Optional[Any] = None


class SignatureError(Exception):
    """The signature is unknown, or cannot be had with this function. The message is for people."""


def describe(call: Callable[..., Any], target: str, signature_type: Optional[str]) -> Function:
    """Find out about `call`, which is called `target` in its module. Raises SignatureError."""
    registry = sys.modules.get(_REGISTRY)
    names = (target, getattr(call, "__name__", target))
    decorated = _look_up(registry, "REGISTRY_MAP", names)
    signature = decorated or signature_type or os.environ.get("FUNCTION_SIGNATURE_TYPE") or guess(call)
    if signature not in SIGNATURES:
        raise SignatureError(f"{signature!r} is no signature type: it is one of {', '.join(SIGNATURES)}")
    registered = getattr(registry, "ASGI_FUNCTIONS", ()) if registry else ()
    asked = os.environ.get("FUNCTION_USE_ASGI", "").lower() in _TRUE
    uses_asgi = any(name in registered for name in names) or asked or _is_async(call)
    if uses_asgi and signature in (EVENT, TYPED):
        raise SignatureError(f"functions of signature type {signature} cannot be asynchronous: write {target} with def")
    input_type = None
    if signature == TYPED:
        input_type = _look_up(registry, "INPUT_TYPE_MAP", names) or input_type_of(call)
        if not callable(getattr(input_type, "from_dict", None)):
            raise SignatureError(f"the input type of the typed function {target} is not known, or has no from_dict")
    return Function(call, target, signature, uses_asgi, input_type)


def guess(call: Callable[..., Any]) -> str:
    """The signature type of a function that says nothing about it, by its parameters: http unless they read otherwise."""
    try:
        parameters = [
            parameter
            for parameter in inspect.signature(call).parameters.values()
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        ]
    except (TypeError, ValueError):
        return HTTP
    if len([parameter for parameter in parameters if parameter.default is parameter.empty]) == 2:
        return EVENT
    if len(parameters) == 1:
        annotation = parameters[0].annotation
        name = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
        if parameters[0].name in _EVENT_NAMES or name.rpartition(".")[2] == "CloudEvent":
            return CLOUD_EVENT
    return HTTP


def input_type_of(call: Callable[..., Any]) -> Any:
    """The annotation of the first parameter, resolved; None when there is none."""
    try:
        name = next(iter(inspect.signature(call).parameters))
    except (TypeError, ValueError, StopIteration):
        return None
    plain = inspect.unwrap(call)
    annotation = getattr(plain, "__annotations__", {}).get(name)
    if isinstance(annotation, str):
        space = {**getattr(plain, "__globals__", {})}
        return space.get(annotation)
    return annotation


def _look_up(registry: Any, table: str, names: "tuple[str, ...]") -> Any:
    entries = getattr(registry, table, None) or {}
    for name in names:
        if name in entries:
            return entries[name]
    return None


def _is_async(call: Callable[..., Any]) -> bool:
    plain = inspect.unwrap(call) if inspect.isfunction(call) else call
    return inspect.iscoroutinefunction(plain) or inspect.iscoroutinefunction(getattr(plain, "__call__", None))  # noqa: B004
