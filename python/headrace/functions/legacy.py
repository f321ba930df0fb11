"""Background events (the events of Cloud Functions before CloudEvents) to CloudEvents and back: pure functions.

The mapping is the one that all functions-frameworks share (docs/mapping.md of functions-framework-conformance).
"""

from __future__ import annotations

import datetime
import re
from typing import Any, Dict, NamedTuple, Optional, Tuple

from .errors import ConversionError

PUBSUB = "pubsub.googleapis.com"
STORAGE = "storage.googleapis.com"
FIRESTORE = "firestore.googleapis.com"
AUTH = "firebaseauth.googleapis.com"
DATABASE = "firebasedatabase.googleapis.com"
ANALYTICS = "firebase.googleapis.com"
REMOTE_CONFIG = "firebaseremoteconfig.googleapis.com"

_PUBSUB_MESSAGE = "type.googleapis.com/google.pubsub.v1.PubsubMessage"
_PUBSUB_PUBLISH = "google.pubsub.topic.publish"

TYPES: Dict[str, str] = {
    _PUBSUB_PUBLISH: "google.cloud.pubsub.topic.v1.messagePublished",
    "google.storage.object.finalize": "google.cloud.storage.object.v1.finalized",
    "google.storage.object.delete": "google.cloud.storage.object.v1.deleted",
    "google.storage.object.archive": "google.cloud.storage.object.v1.archived",
    "google.storage.object.metadataUpdate": "google.cloud.storage.object.v1.metadataUpdated",
    "providers/cloud.firestore/eventTypes/document.write": "google.cloud.firestore.document.v1.written",
    "providers/cloud.firestore/eventTypes/document.create": "google.cloud.firestore.document.v1.created",
    "providers/cloud.firestore/eventTypes/document.update": "google.cloud.firestore.document.v1.updated",
    "providers/cloud.firestore/eventTypes/document.delete": "google.cloud.firestore.document.v1.deleted",
    "providers/firebase.auth/eventTypes/user.create": "google.firebase.auth.user.v1.created",
    "providers/firebase.auth/eventTypes/user.delete": "google.firebase.auth.user.v1.deleted",
    "providers/google.firebase.analytics/eventTypes/event.log": "google.firebase.analytics.log.v1.written",
    "providers/google.firebase.database/eventTypes/ref.create": "google.firebase.database.ref.v1.created",
    "providers/google.firebase.database/eventTypes/ref.write": "google.firebase.database.ref.v1.written",
    "providers/google.firebase.database/eventTypes/ref.update": "google.firebase.database.ref.v1.updated",
    "providers/google.firebase.database/eventTypes/ref.delete": "google.firebase.database.ref.v1.deleted",
    "providers/firebase.remoteConfig/remoteconfig.update": "google.firebase.remoteconfig.remoteConfig.v1.updated",
}
"""Event type to CloudEvent type, where the way back is the same."""

ALIASES: Dict[str, str] = {
    "providers/cloud.pubsub/eventTypes/topic.publish": "google.cloud.pubsub.topic.v1.messagePublished",
    "providers/cloud.storage/eventTypes/object.change": "google.cloud.storage.object.v1.finalized",
}
"""Older names of some of them: never produced by the way back."""

_BACK = {new: old for old, new in TYPES.items()}

_SERVICES = (
    ("providers/cloud.firestore/", FIRESTORE),
    ("providers/google.firebase.analytics/", ANALYTICS),
    ("providers/firebase.auth/", AUTH),
    ("providers/google.firebase.database/", DATABASE),
    ("providers/firebase.remoteConfig/", REMOTE_CONFIG),
    ("providers/cloud.pubsub/", PUBSUB),
    ("providers/cloud.storage/", STORAGE),
    ("google.pubsub", PUBSUB),
    ("google.storage", STORAGE),
)

_SPLITS = {
    ANALYTICS: re.compile(r"(projects/[^/]+)/(events/[^/]+)"),
    DATABASE: re.compile(r"projects/_/(instances/[^/]+)/(refs/.+)"),
    FIRESTORE: re.compile(r"(projects/[^/]+/databases/\(default\))/(documents/.+)"),
    # The generation (#123) at the end of an object's name is no part of the subject.
    STORAGE: re.compile(r"(projects/[^/]+/buckets/[^/]+)/(objects/.+?)(?:#\d+)?"),
}

_AUTH_FIELDS = (("createdAt", "createTime"), ("lastSignedInAt", "lastSignInTime"))
_topic = re.compile(r"projects/[^/?]+/topics/[^/?]+").search
_source = re.compile(r"//([^/]+)/(.+)").fullmatch


class Background(NamedTuple):
    """A background event: the payload and the four values of its context. `resource` is a string or an object."""

    data: Any
    event_id: str
    timestamp: str
    event_type: str
    resource: Any
    domain: Optional[str] = None


def parse(body: Any, path: str) -> Background:
    """The background event in a request's decoded JSON body; `path` names the topic of a raw Pub/Sub push.

    Raises ConversionError for a body of another shape.
    """
    if not isinstance(body, dict):
        raise ConversionError("the body is no background event: it is not a JSON object")
    if _is_push(body):
        return _push(body["message"], path)
    context = body.get("context") or body
    if not isinstance(context, dict):
        raise ConversionError("the background event's context is not an object")
    return Background(
        data=body.get("data", ""),
        event_id=context.get("eventId", ""),
        timestamp=context.get("timestamp", ""),
        event_type=context.get("eventType", ""),
        resource=context.get("resource", ""),
        domain=body.get("domain"),
    )


def _is_push(body: Dict[str, Any]) -> bool:
    message = body.get("message")
    return (
        "context" not in body
        and "subscription" in body
        and isinstance(message, dict)
        and "data" in message
        and "messageId" in message
    )


def _push(message: Dict[str, Any], path: str) -> Background:
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None).isoformat() + "Z"
    topic = _topic(path)
    return Background(
        data={"@type": _PUBSUB_MESSAGE, "data": message["data"], "attributes": message.get("attributes", {})},
        event_id=message["messageId"],
        timestamp=message.get("publishTime", now),
        event_type=_PUBSUB_PUBLISH,
        resource={"service": PUBSUB, "type": _PUBSUB_MESSAGE, "name": topic.group(0) if topic else ""},
    )


def to_cloud_event(event: Background) -> Tuple[Dict[str, Any], Any]:
    """Attributes and data of the equivalent CloudEvent. Raises ConversionError when there is none."""
    new_type = TYPES.get(event.event_type) or ALIASES.get(event.event_type)
    if new_type is None:
        raise ConversionError(f"no CloudEvent type is known for background events of type {event.event_type!r}")
    service, resource, subject = _split(event)
    data = event.data
    if service == PUBSUB:
        message = dict(_object(data))
        message.setdefault("messageId", event.event_id)
        message.setdefault("publishTime", event.timestamp)
        data = {"message": message}
    elif service == AUTH:
        data = _rename_metadata(_object(data), forth=True)
        if "uid" in data:
            subject = f"users/{data['uid']}"
    elif service == DATABASE:
        if not event.domain:
            raise ConversionError("the event of a Firebase database has no domain")
        location = "us-central1" if event.domain == "firebaseio.com" else event.domain.split(".")[0]
        resource = f"projects/_/locations/{location}/{resource}"
    attributes: Dict[str, Any] = {
        "specversion": "1.0",
        "id": event.event_id,
        "time": event.timestamp,
        "type": new_type,
        "source": f"//{service}/{resource}",
        "datacontenttype": "application/json",
    }
    if subject:
        attributes["subject"] = subject
    return attributes, data


def _split(event: Background) -> Tuple[str, str, str]:
    """Service, resource and subject of a background event."""
    service, resource = "", event.resource
    if isinstance(resource, dict):
        service = resource.get("service") or ""
        resource = resource.get("name")
    if not isinstance(resource, str):
        raise ConversionError("the background event's resource has no name")
    if not service:
        service = next((name for prefix, name in _SERVICES if event.event_type.startswith(prefix)), "")
    pattern = _SPLITS.get(service)
    if pattern is None:
        return service, resource, ""
    match = pattern.fullmatch(resource)
    if match is None:
        raise ConversionError(f"the resource {resource!r} is not one of {service}")
    return service, match.group(1), match.group(2)


def convertible(event_type: Optional[str]) -> bool:
    """Whether CloudEvents of this type have a background event."""
    return event_type in _BACK


def to_background(attributes: Dict[str, Any], data: Any) -> Background:
    """The background event of a CloudEvent. Raises ConversionError when there is none."""
    old_type = _BACK.get(attributes.get("type", ""))
    if old_type is None:
        raise ConversionError(f"no background event is known for CloudEvents of type {attributes.get('type')!r}")
    match = _source(str(attributes.get("source", "")))
    if match is None:
        raise ConversionError(f"the CloudEvent's source {attributes.get('source')!r} is not //service/resource")
    service, name = match.groups()
    resource: Any
    if service == PUBSUB:
        resource = {"service": service, "name": name, "type": _PUBSUB_MESSAGE}
        payload = _object(data)
        message = dict(_object(payload.get("message", payload)))
        message.pop("messageId", None)
        message.pop("publishTime", None)
        data = message
    elif service in (AUTH, REMOTE_CONFIG):
        resource = name
        data = _rename_metadata(_object(data), forth=False) if service == AUTH else data
    else:
        subject = attributes.get("subject")
        if not subject:
            raise ConversionError("the CloudEvent has no subject")
        if service == DATABASE:
            name = re.sub("/locations/[^/]+", "", name)
        resource = f"{name}/{subject}"
        if service == STORAGE:
            kind = _object(data).get("kind")
            if kind is None:
                raise ConversionError("the data of the storage event has no kind")
            resource = {"name": resource, "service": service, "type": kind}
    return Background(data, attributes.get("id", ""), attributes.get("time", ""), old_type, resource)


def _rename_metadata(data: Dict[str, Any], forth: bool) -> Dict[str, Any]:
    metadata = data.get("metadata")
    if not isinstance(metadata, dict):
        return data
    names = {old if forth else new: new if forth else old for old, new in _AUTH_FIELDS}
    return {**data, "metadata": {names.get(name, name): value for name, value in metadata.items()}}


def _object(data: Any) -> Dict[str, Any]:
    if not isinstance(data, dict):
        raise ConversionError("the event's data is not a JSON object")
    return data
