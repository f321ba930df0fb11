"""The event of the HTTP binding."""

from headrace.functions.events import CloudEvent

__all__ = ["CloudEvent"]
