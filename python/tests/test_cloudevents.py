"""CloudEvents in the HTTP binding, and the built-in class against the package's."""

from __future__ import annotations

import json
from typing import Any, Dict

import pytest

from headrace.functions import events
from headrace.functions.errors import BadRequest

BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t"}
PLAIN = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
STRUCTURED = {"content-type": "application/cloudevents+json"}


@pytest.mark.parametrize(
    ("headers", "body", "attributes", "data"),
    [
        (BINARY, b"", PLAIN, None),
        ({**BINARY, "content-type": "application/json"}, b'{"a": 1}', {**PLAIN, "datacontenttype": "application/json"}, {"a": 1}),
        ({**BINARY, "content-type": "text/plain"}, b"text", {**PLAIN, "datacontenttype": "text/plain"}, b"text"),
        ({**BINARY, "ce-subject": "a%20%C3%A9", "x-other": "1"}, b"\xff", {**PLAIN, "subject": "a \xe9"}, b"\xff"),
        ({**BINARY, "ce-specversion": "0.3"}, b"1", {**PLAIN, "specversion": "0.3"}, 1),
        (STRUCTURED, json.dumps({**PLAIN, "data": {"a": 1}}).encode(), PLAIN, {"a": 1}),
        (STRUCTURED, json.dumps({**PLAIN, "data_base64": "/w=="}).encode(), PLAIN, b"\xff"),
        (STRUCTURED, json.dumps({**PLAIN, "ext": "x"}).encode(), {**PLAIN, "ext": "x"}, None),
        ({}, json.dumps({**PLAIN, "data": "text"}).encode(), PLAIN, "text"),
    ],
)
def test_parse(headers: Dict[str, str], body: bytes, attributes: Dict[str, Any], data: Any) -> None:
    assert events.parse(headers, body) == (attributes, data)


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        ({"content-type": "application/cloudevents-batch+json"}, b"[]", "batches"),
        ({**BINARY, "ce-id": ""}, b"", "no id"),
        ({"ce-specversion": "1.0"}, b"", "no id, source, type"),
        ({**BINARY, "ce-specversion": "2.0"}, b"", "neither 1.0 nor 0.3"),
        (STRUCTURED, b"{", "not JSON"),
        (STRUCTURED, b"[]", "not a JSON object"),
        (STRUCTURED, b"{}", "no id, source, type, specversion"),
        (STRUCTURED, json.dumps({**PLAIN, "data_base64": "?"}).encode(), "not base64"),
        (STRUCTURED, b"\xff\xfe", "not JSON"),
    ],
)
def test_refused(headers: Dict[str, str], body: bytes, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        events.parse(headers, body)


def test_class() -> None:
    event = events.CloudEvent({"Type": "t", "source": "/s", "subject": "x"}, {"a": 1})
    assert event["type"] == "t"
    assert event.get("subject") == "x"
    assert event.get("missing") is None
    assert "source" in event
    assert set(event) == {"type", "source", "subject", "specversion", "id", "time"}
    assert len(event) == 6
    assert event.data == event.get_data() == {"a": 1}
    event["ext"] = "y"
    assert event.get_attributes()["ext"] == "y"
    del event["ext"]
    assert "ext" not in event
    assert event == events.CloudEvent(event.get_attributes(), {"a": 1})
    assert event != events.CloudEvent(event.get_attributes(), {"a": 2})
    with pytest.raises(KeyError):
        event["missing"]
    with pytest.raises(ValueError, match="needs source"):
        events.CloudEvent({"type": "t"})


@pytest.mark.parametrize("data", [None, {"a": [1]}, "text", b"\xff\x00"])
def test_round_trips(data: Any) -> None:
    event = events.CloudEvent({**PLAIN, "time": "2026-01-01T00:00:00Z"}, data)
    assert events.from_http(*events.to_structured(event)) == event
    if not isinstance(data, str):
        assert events.from_http(*events.to_binary(event)) == event


@pytest.mark.parametrize("data", [None, {"a": [1]}, "text", b"\xff\x00"])
def test_as_the_package_does(data: Any) -> None:
    package = pytest.importorskip("cloudevents.http")
    conversion = pytest.importorskip("cloudevents.conversion")
    theirs = package.CloudEvent({**PLAIN, "time": "2026-01-01T00:00:00Z"}, data)
    headers, body = conversion.to_structured(theirs)
    assert events.parse(headers, body) == (dict(theirs.get_attributes()), data)
    ours = events.CloudEvent(theirs.get_attributes(), data)
    assert package.from_http(*events.to_structured(ours)) == theirs
    for name in (
        "data",
        "get",
        "get_data",
        "get_attributes",
        "__getitem__",
        "__setitem__",
        "__contains__",
        "__iter__",
        "__len__",
        "create",
    ):
        assert hasattr(ours, name) == hasattr(theirs, name)
