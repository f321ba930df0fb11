"""From a function and its signature to "handle this request", for any framework: arguments out of headers and body."""

from __future__ import annotations

import json
from typing import Any, Callable, Mapping, Tuple

from . import events, legacy
from .errors import BadRequest, ConversionError
from .registry import Function

Handler = Callable[[Mapping[str, str], bytes, str], Any]
"""Called with the headers (lower case names, or a mapping that ignores case), the body and the path; the result is what
the function answers. Raises BadRequest."""


def cloud_event(function: Function) -> Handler:
    """Calls `function(event)`; background events are converted. Answers "OK"."""
    make = event_class()

    def handle(headers: Mapping[str, str], body: bytes, path: str) -> Any:
        function.call(make(*read_event(headers, body, path)))
        return "OK"

    return handle


def background(function: Function) -> Handler:
    """Calls `function(data, context)`; CloudEvents are converted. Answers "OK"."""
    make = context_class()

    def handle(headers: Mapping[str, str], body: bytes, path: str) -> Any:
        event = read_background(headers, body, path)
        function.call(event.data, make(event.event_id, event.timestamp, event.event_type, event.resource))
        return "OK"

    return handle


def typed(function: Function) -> Handler:
    """Calls `function(T.from_dict(body))` and answers with the result's to_dict() as JSON, or "" for None."""
    from_dict = function.input_type.from_dict  # type: ignore[union-attr]

    def handle(headers: Mapping[str, str], body: bytes, path: str) -> Any:
        try:
            argument = from_dict(json.loads(body))
        except Exception as error:
            raise BadRequest(f"the request is no input of this function: {type(error).__name__}: {error}") from error
        result = function.call(argument)
        if result is None:
            return ""
        if type(result).__module__ == "builtins":
            return result
        to_dict = getattr(result, "to_dict", None)
        if not callable(to_dict):
            raise TypeError(f"{type(result).__name__}, which {function.target} returned, has no to_dict()")
        return json.dumps(to_dict())

    return handle


def read_event(headers: Mapping[str, str], body: bytes, path: str) -> Tuple[Any, Any]:
    """Attributes and data of the CloudEvent in a request, be it one or a background event. Raises BadRequest."""
    try:
        return events.parse(headers, body)
    except BadRequest as error:
        if events.is_binary(headers) or events.is_structured(headers):
            raise
        try:
            return legacy.to_cloud_event(legacy.parse(_json(body), path))
        except ConversionError as other:
            raise BadRequest(
                f"the request is no CloudEvent ({error}) and no background event that could be converted ({other})"
            ) from None


def read_background(headers: Mapping[str, str], body: bytes, path: str) -> legacy.Background:
    """The background event in a request, be it one or a CloudEvent. Raises BadRequest."""
    if not events.is_binary(headers) and not events.is_structured(headers):
        return legacy.parse(_json(body), path)
    attributes, data = events.parse(headers, body)
    if legacy.convertible(attributes.get("type")):
        return legacy.to_background(attributes, data)
    # An event of no known kind is passed on as it is.
    return legacy.Background(data, attributes["id"], attributes.get("time", ""), attributes["type"], attributes["source"])


def event_class() -> Callable[..., Any]:
    """The CloudEvent class of the `cloudevents` package, or the built-in one."""
    for name in ("cloudevents.http", "cloudevents.v1.http"):
        try:
            module = __import__(name, fromlist=["CloudEvent"])
            return module.CloudEvent  # type: ignore[no-any-return]
        except (ImportError, AttributeError):
            continue
    return events.CloudEvent


def context_class() -> Callable[..., Any]:
    """google.cloud.functions.context.Context, where functions-framework is installed, or the built-in one."""
    try:
        from google.cloud.functions.context import Context  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        from .context import Context
    return Context  # type: ignore[no-any-return]


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise ConversionError("the body is not JSON") from None
