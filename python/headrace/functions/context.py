"""The second argument of background functions."""

from __future__ import annotations

from typing import Any


class Context:
    """Where a background event comes from. `resource` is a string, or a dict with service, name and type."""

    def __init__(self, eventId: str = "", timestamp: str = "", eventType: str = "", resource: Any = "") -> None:
        self.event_id = eventId
        self.timestamp = timestamp
        self.event_type = eventType
        self.resource = resource

    def __str__(self) -> str:
        return (
            f"{{event_id: {self.event_id}, timestamp: {self.timestamp}, "
            f"event_type: {self.event_type}, resource: {self.resource}}}"
        )
