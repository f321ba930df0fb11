"""CloudEvents 1.0 (and 0.3) in the HTTP binding: binary and structured mode. Batches are refused."""

from __future__ import annotations

import base64
import datetime
import json
import uuid
from typing import Any, Dict, Iterator, Mapping, Optional
from urllib.parse import unquote

from .errors import BadRequest

_REQUIRED = ("id", "source", "type", "specversion")
_VERSIONS = ("1.0", "0.3")
_STRUCTURED = "application/cloudevents"
_BATCH = "application/cloudevents-batch"


class CloudEvent:
    """An event: attributes by `event["type"]` or `event.get("subject")`, the payload as `event.data`.

    The same interface as `cloudevents.http.CloudEvent`, for where that package is not installed. `id`, `time` and
    `specversion` are made up when they are missing. Raises ValueError without `type` or `source`, or with a version unknown.
    """

    def __init__(self, attributes: Mapping[str, Any], data: Any = None) -> None:
        kept: Dict[str, Any] = {name.lower(): value for name, value in attributes.items()}
        kept.setdefault("specversion", "1.0")
        kept.setdefault("id", str(uuid.uuid4()))
        kept.setdefault("time", datetime.datetime.now(datetime.timezone.utc).isoformat())
        for name in _REQUIRED:
            if name not in kept:
                raise ValueError(f"a CloudEvent needs {name}")
        if kept["specversion"] not in _VERSIONS:
            raise ValueError(f"CloudEvents {kept['specversion']} is neither 1.0 nor 0.3")
        self._attributes = kept
        self.data = data

    @classmethod
    def create(cls, attributes: Mapping[str, Any], data: Any) -> CloudEvent:
        """An event of these attributes and data."""
        return cls(attributes, data)

    def get_attributes(self) -> Mapping[str, Any]:
        """A copy of the attributes."""
        return dict(self._attributes)

    def _get_attributes(self) -> Dict[str, Any]:
        return self._attributes

    def get_data(self) -> Any:
        """The payload."""
        return self.data

    def get(self, key: str, default: Any = None) -> Any:
        """An attribute, or the default."""
        return self._attributes.get(key, default)

    def __getitem__(self, key: str) -> Any:
        return self._attributes[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._attributes[key] = value

    def __delitem__(self, key: str) -> None:
        del self._attributes[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._attributes)

    def __len__(self) -> int:
        return len(self._attributes)

    def __contains__(self, key: object) -> bool:
        return key in self._attributes

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CloudEvent):
            return NotImplemented
        return self._attributes == other._attributes and self.data == other.data

    __hash__ = None  # type: ignore[assignment]  # attributes may change

    def __repr__(self) -> str:
        return str({"attributes": self._attributes, "data": self.data})


def is_binary(headers: Mapping[str, str]) -> bool:
    """Whether a request holds a CloudEvent in binary mode. `headers` is looked up in lower case or ignores case."""
    return headers.get("ce-specversion") is not None


def is_structured(headers: Mapping[str, str]) -> bool:
    """Whether a request holds a CloudEvent in structured mode."""
    return (headers.get("content-type") or "").lower().startswith(_STRUCTURED)


def parse(headers: Mapping[str, str], body: bytes) -> "tuple[Dict[str, Any], Any]":
    """The attributes and data of the CloudEvent in a request; `headers` as in `is_binary`, iterable.

    Data that reads as JSON is decoded, other data is bytes, none is None. Raises BadRequest for what is no CloudEvent.
    """
    kind = (headers.get("content-type") or "").lower()
    if kind.startswith(_BATCH):
        raise BadRequest("batches of CloudEvents are not supported: send one event a request")
    if is_binary(headers):
        attributes, data = _binary(headers), _json_or_bytes(body)
    else:
        attributes, data = _structured(body)
    missing = [name for name in _REQUIRED if not attributes.get(name)]
    if missing:
        raise BadRequest(f"the CloudEvent has no {', '.join(missing)}")
    if attributes["specversion"] not in _VERSIONS:
        raise BadRequest(f"CloudEvents {attributes['specversion']} is neither 1.0 nor 0.3")
    return attributes, data


def _binary(headers: Mapping[str, str]) -> Dict[str, Any]:
    attributes: Dict[str, Any] = {}
    for name in headers:
        lower = name.lower()
        if lower.startswith("ce-"):
            value = headers[name]
            attributes[lower[3:]] = unquote(value) if "%" in value else value
        elif lower == "content-type":
            attributes["datacontenttype"] = headers[name]
    return attributes


def _structured(body: bytes) -> "tuple[Dict[str, Any], Any]":
    try:
        event = json.loads(body)
    except ValueError as error:
        raise BadRequest(f"the body is no CloudEvent: it is not JSON ({error})") from None
    if not isinstance(event, dict):
        raise BadRequest("the body is no CloudEvent: it is not a JSON object")
    attributes: Dict[str, Any] = {str(name).lower(): value for name, value in event.items()}
    data = attributes.pop("data", None)
    encoded = attributes.pop("data_base64", None)
    if encoded is not None:
        try:
            data = _json_or_bytes(base64.b64decode(encoded, validate=True))
        except (ValueError, TypeError):
            raise BadRequest("the CloudEvent's data_base64 is not base64") from None
    return attributes, data


def _json_or_bytes(body: bytes) -> Any:
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body


def from_http(headers: Mapping[str, str], data: Optional[bytes]) -> CloudEvent:
    """The CloudEvent in a request. Raises BadRequest."""
    lowered = {name.lower(): headers[name] for name in headers}
    return CloudEvent(*parse(lowered, data or b""))


def to_structured(event: Any) -> "tuple[Dict[str, str], bytes]":
    """Headers and body of an event in structured mode."""
    content: Dict[str, Any] = dict(event.get_attributes())
    data = event.get_data()
    if isinstance(data, (bytes, bytearray)):
        content["data_base64"] = base64.b64encode(data).decode()
    elif data is not None:
        content["data"] = data
    return {"content-type": "application/cloudevents+json"}, json.dumps(content).encode()


def to_binary(event: Any) -> "tuple[Dict[str, str], bytes]":
    """Headers and body of an event in binary mode."""
    headers: Dict[str, str] = {}
    for name, value in event.get_attributes().items():
        if value is not None:
            headers["content-type" if name == "datacontenttype" else f"ce-{name}"] = str(value)
    data = event.get_data()
    if data is None:
        return headers, b""
    return headers, bytes(data) if isinstance(data, (bytes, bytearray)) else json.dumps(data).encode()
