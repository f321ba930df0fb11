"""CloudEvents over HTTP: the common part of the package's interface."""

from __future__ import annotations

from typing import Any, Dict, Mapping

from headrace.functions.events import CloudEvent, from_http, to_binary, to_structured
from headrace.functions.events import is_binary as _is_binary
from headrace.functions.events import is_structured as _is_structured

__all__ = [
    "CloudEvent",
    "from_dict",
    "from_http",
    "from_json",
    "is_binary",
    "is_structured",
    "to_binary",
    "to_dict",
    "to_json",
    "to_structured",
]


def is_binary(headers: Mapping[str, str]) -> bool:
    """Whether a request holds an event in binary mode."""
    return _is_binary({name.lower(): headers[name] for name in headers})


def is_structured(headers: Mapping[str, str]) -> bool:
    """Whether a request holds an event in structured mode."""
    return _is_structured({name.lower(): headers[name] for name in headers})


def from_dict(event: Mapping[str, Any]) -> CloudEvent:
    """The event whose attributes and data are the items of a mapping."""
    return CloudEvent({name: value for name, value in event.items() if name != "data"}, event.get("data"))


def to_dict(event: CloudEvent) -> Dict[str, Any]:
    """Attributes and data in one dict."""
    return {**event.get_attributes(), "data": event.get_data()}


def from_json(data: Any) -> CloudEvent:
    """The event in a JSON text."""
    return from_http({"content-type": "application/cloudevents+json"}, data.encode() if isinstance(data, str) else data)


def to_json(event: CloudEvent) -> bytes:
    """The event as a JSON text."""
    return to_structured(event)[1]
