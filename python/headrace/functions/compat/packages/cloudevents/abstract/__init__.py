"""The class that events have in common."""

from headrace.functions.events import CloudEvent

__all__ = ["AnyCloudEvent", "CloudEvent"]

AnyCloudEvent = CloudEvent
