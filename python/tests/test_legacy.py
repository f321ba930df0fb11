"""Background events to CloudEvents and back: every mapping, as a table."""

from __future__ import annotations

import copy
from typing import Any, Dict, NamedTuple, Optional

import pytest

from headrace.functions import legacy
from headrace.functions.errors import ConversionError
from headrace.functions.handlers import read_background, read_event

TIME = "2026-09-29T11:32:00.123Z"
MESSAGE = "type.googleapis.com/google.pubsub.v1.PubsubMessage"


class Case(NamedTuple):
    """One background event and its CloudEvent. back: the type that the way back gives, where it is another; None: no way back."""

    event_type: str
    resource: Any
    data: Any
    ce_type: str
    source: str
    subject: Optional[str]
    ce_data: Any
    domain: Optional[str] = None
    back: Optional[str] = ""


STORAGE_DATA = {"bucket": "b", "kind": "storage#object"}
STORAGE_NAME = {
    "service": "storage.googleapis.com",
    "name": "projects/_/buckets/some-bucket/objects/folder/Test.cs",
    "type": "storage#object",
}
PUBSUB_NAME = {"service": "pubsub.googleapis.com", "name": "projects/p/topics/t", "type": MESSAGE}
PUBSUB_DATA = {"@type": MESSAGE, "attributes": {"a": "1"}, "data": "aGVsbG8="}
PUBSUB_CE = {"message": {**PUBSUB_DATA, "messageId": "id-1", "publishTime": TIME}}
DOCUMENT = "projects/p/databases/(default)/documents/gcf-test/2Vm2mI1d0wIaK2Waj5to"


def storage(old: str, new: str, **more: Any) -> Case:
    return Case(
        old, STORAGE_NAME, STORAGE_DATA, f"google.cloud.storage.object.v1.{new}",
        "//storage.googleapis.com/projects/_/buckets/some-bucket", "objects/folder/Test.cs", STORAGE_DATA, **more,
    )  # fmt: skip


def firestore(old: str, new: str) -> Case:
    data: Dict[str, Any] = {"oldValue": {}, "value": {"fields": {}}}
    return Case(
        f"providers/cloud.firestore/eventTypes/document.{old}", DOCUMENT, data, f"google.cloud.firestore.document.v1.{new}",
        "//firestore.googleapis.com/projects/p/databases/(default)", "documents/gcf-test/2Vm2mI1d0wIaK2Waj5to", data,
    )  # fmt: skip


def auth(old: str, new: str) -> Case:
    data = {"uid": "U1", "metadata": {"createdAt": "c", "lastSignedInAt": "l", "other": 1}}
    ce_data = {"uid": "U1", "metadata": {"createTime": "c", "lastSignInTime": "l", "other": 1}}
    return Case(
        f"providers/firebase.auth/eventTypes/user.{old}", "projects/p", data, f"google.firebase.auth.user.v1.{new}",
        "//firebaseauth.googleapis.com/projects/p", "users/U1", ce_data,
    )  # fmt: skip


def database(old: str, new: str, domain: str, location: str) -> Case:
    data: Dict[str, Any] = {"data": None, "delta": {"grandchild": "other"}}
    return Case(
        f"providers/google.firebase.database/eventTypes/ref.{old}", "projects/_/instances/my-db/refs/gcf-test/xyz", data,
        f"google.firebase.database.ref.v1.{new}",
        f"//firebasedatabase.googleapis.com/projects/_/locations/{location}/instances/my-db", "refs/gcf-test/xyz", data, domain,
    )  # fmt: skip


CASES = [
    Case("google.pubsub.topic.publish", PUBSUB_NAME, PUBSUB_DATA, "google.cloud.pubsub.topic.v1.messagePublished",
         "//pubsub.googleapis.com/projects/p/topics/t", None, PUBSUB_CE),
    Case("providers/cloud.pubsub/eventTypes/topic.publish", "projects/p/topics/t", PUBSUB_DATA,
         "google.cloud.pubsub.topic.v1.messagePublished", "//pubsub.googleapis.com/projects/p/topics/t", None, PUBSUB_CE,
         back=None),
    storage("google.storage.object.finalize", "finalized"),
    storage("google.storage.object.delete", "deleted"),
    storage("google.storage.object.archive", "archived"),
    storage("google.storage.object.metadataUpdate", "metadataUpdated"),
    storage("providers/cloud.storage/eventTypes/object.change", "finalized", back="google.storage.object.finalize"),
    firestore("write", "written"),
    firestore("create", "created"),
    firestore("update", "updated"),
    firestore("delete", "deleted"),
    auth("create", "created"),
    auth("delete", "deleted"),
    Case("providers/google.firebase.analytics/eventTypes/event.log", "projects/p/events/session_start", {"eventDim": []},
         "google.firebase.analytics.log.v1.written", "//firebase.googleapis.com/projects/p", "events/session_start",
         {"eventDim": []}),
    database("create", "created", "firebaseio.com", "us-central1"),
    database("write", "written", "europe-west1.firebasedatabase.app", "europe-west1"),
    database("update", "updated", "asia-southeast1.firebasedatabase.app", "asia-southeast1"),
    database("delete", "deleted", "firebaseio.com", "us-central1"),
    Case("providers/firebase.remoteConfig/remoteconfig.update", "projects/p", {"versionNumber": "1"},
         "google.firebase.remoteconfig.remoteConfig.v1.updated", "//firebaseremoteconfig.googleapis.com/projects/p", None,
         {"versionNumber": "1"}),
]  # fmt: skip


def names(case: Case) -> str:
    return case.event_type


def attributes(case: Case) -> Dict[str, Any]:
    result = {
        "specversion": "1.0",
        "id": "id-1",
        "time": TIME,
        "type": case.ce_type,
        "source": case.source,
        "datacontenttype": "application/json",
    }
    return {**result, "subject": case.subject} if case.subject else result


def body(case: Case) -> Dict[str, Any]:
    context = {"eventId": "id-1", "timestamp": TIME, "eventType": case.event_type, "resource": case.resource}
    result = {"context": context, "data": copy.deepcopy(case.data)}
    return {**result, "domain": case.domain} if case.domain else result


def test_every_type_has_a_case() -> None:
    assert {case.event_type for case in CASES} == {*legacy.TYPES, *legacy.ALIASES}


@pytest.mark.parametrize("case", CASES, ids=names)
def test_to_cloud_event(case: Case) -> None:
    event = body(case)
    before = copy.deepcopy(event)
    assert legacy.to_cloud_event(legacy.parse(event, "/")) == (attributes(case), case.ce_data)
    assert event == before  # nothing of the request is changed


@pytest.mark.parametrize("case", CASES, ids=names)
def test_context_at_the_top_level(case: Case) -> None:
    event = body(case)
    event.update(event.pop("context"))
    assert legacy.to_cloud_event(legacy.parse(event, "/")) == (attributes(case), case.ce_data)


@pytest.mark.parametrize("case", [case for case in CASES if case.back is not None], ids=names)
def test_to_background(case: Case) -> None:
    event = legacy.to_background(attributes(case), copy.deepcopy(case.ce_data))
    assert event.event_type == (case.back or case.event_type)
    assert (event.event_id, event.timestamp) == ("id-1", TIME)
    assert event.resource == case.resource
    assert event.data == case.data


def test_storage_generation_is_no_part_of_the_subject() -> None:
    case = storage("google.storage.object.finalize", "finalized")
    event = body(case)
    event["context"]["resource"] = {**STORAGE_NAME, "name": STORAGE_NAME["name"] + "#1588778055917163"}
    assert legacy.to_cloud_event(legacy.parse(event, "/"))[0]["subject"] == "objects/folder/Test.cs"


@pytest.mark.parametrize(
    ("path", "name"),
    [("/projects/p/topics/t", "projects/p/topics/t"), ("/x/projects/p/topics/t?y=1", "projects/p/topics/t"), ("/", "")],
)
def test_raw_push(path: str, name: str) -> None:
    push = {"subscription": "projects/p/subscriptions/s", "message": {"data": "eA==", "messageId": "7", "publishTime": TIME}}
    event = legacy.parse(push, path)
    assert event.data == {"@type": MESSAGE, "data": "eA==", "attributes": {}}
    assert event.resource == {"service": "pubsub.googleapis.com", "type": MESSAGE, "name": name}
    assert (event.event_id, event.timestamp, event.event_type) == ("7", TIME, "google.pubsub.topic.publish")
    found, data = legacy.to_cloud_event(event)
    assert found["source"] == f"//pubsub.googleapis.com/{name}"
    assert data["message"]["messageId"] == "7"


def test_raw_push_without_a_time() -> None:
    event = legacy.parse({"subscription": "s", "message": {"data": "", "messageId": "7"}}, "/")
    assert event.timestamp.endswith("Z")


@pytest.mark.parametrize(
    "event",
    [
        [],
        "text",
        {"context": "text"},
        {"context": {"eventType": "unknown", "resource": ""}, "data": {}},
        {"context": {"eventType": "google.storage.object.finalize", "resource": "elsewhere"}, "data": {}},
        {"context": {"eventType": "google.storage.object.finalize", "resource": {"service": "x"}}, "data": {}},
        {"context": {"eventType": "google.pubsub.topic.publish", "resource": "t"}, "data": "text"},
        {"context": {"eventType": "providers/google.firebase.database/eventTypes/ref.create",
                     "resource": "projects/_/instances/i/refs/r"}, "data": {}},
        {},
    ],
)  # fmt: skip
def test_no_cloud_event(event: Any) -> None:
    with pytest.raises(ConversionError):
        legacy.to_cloud_event(legacy.parse(event, "/"))


@pytest.mark.parametrize(
    ("changed", "data"),
    [
        ({"type": "com.example.thing"}, {}),
        ({"source": "/relative"}, {}),
        ({"subject": None}, {"kind": "x"}),
        ({}, {}),
        ({}, "text"),
    ],
)
def test_no_background_event(changed: Dict[str, Any], data: Any) -> None:
    given = {**attributes(storage("google.storage.object.finalize", "finalized")), **changed}
    with pytest.raises(ConversionError):
        legacy.to_background(given, data)


def test_requests() -> None:
    """What functions of either kind make of requests of either kind."""
    import json

    case = CASES[2]
    old = json.dumps(body(case)).encode()
    new = json.dumps(case.ce_data).encode()
    headers = {f"ce-{name}": value for name, value in attributes(case).items() if name != "datacontenttype"}
    headers["content-type"] = "application/json"
    structured = json.dumps({**attributes(case), "data": case.ce_data}).encode()
    kind = {"content-type": "application/cloudevents+json; charset=utf-8"}
    for given, content in ((headers, new), (kind, structured), ({"content-type": "application/json"}, old)):
        assert read_event(given, content, "/") == (attributes(case), case.ce_data)
        event = read_background(given, content, "/")
        assert (event.event_type, event.resource, event.data) == (case.event_type, case.resource, case.data)
    other = {**headers, "ce-type": "com.example.thing"}
    assert read_background(other, b"text", "/")[:4] == (b"text", "id-1", TIME, "com.example.thing")
