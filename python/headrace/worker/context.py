"""The context variable that says which request the running code works for."""

from __future__ import annotations

from contextvars import ContextVar

request_id: "ContextVar[str]" = ContextVar("headrace_request_id", default="")
"""Empty outside of requests."""
