"""Calls from one service to another: where it is, and what goes along of the request on whose behalf it is called."""

from __future__ import annotations

import os
import re
from typing import Dict, Mapping, Optional

from .worker.context import work

_PREFIX, _SUFFIX = "HEADRACE_SERVICE_", "_URL"
_CARRIED = ("traceparent", "tracestate", "baggage", "headrace-priority")
"""Headers that go along as they came (W3C Trace Context, W3C Baggage). The last one is set by the gateway only."""

_TIMEOUT = "x-request-timeout"
_SHORTEST = 0.001
_NAME = re.compile("[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def service_url(name: str, path: str = "") -> str:
    """See headrace.service_url."""
    variable = f"{_PREFIX}{name.upper().replace('-', '_')}{_SUFFIX}"
    url = os.environ.get(variable, "") if _NAME.fullmatch(name) else ""
    if not url:
        known = ", ".join(_names()) or "none"
        raise LookupError(f"there is no service {name!r} to call (known: {known}); {variable} would say where it is")
    if not path:
        return url
    return f"{url.rstrip('/')}/{path.lstrip('/')}"


def context_headers(headers: Optional[Mapping[str, str]] = None) -> Dict[str, str]:
    """See headrace.context_headers."""
    carried: Dict[str, str] = {}
    current = work.get()
    if current is not None:
        origin = current.origin()
        for name in _CARRIED:
            if name in origin.headers:
                carried[name] = origin.headers[name]
        if origin.left is not None:
            carried[_TIMEOUT] = f"{max(origin.left, _SHORTEST):.3f}"
    for name, value in (headers or {}).items():
        carried.pop(name.lower(), None)
        carried[name] = value
    return carried


def remaining() -> Optional[float]:
    """See headrace.remaining."""
    current = work.get()
    return None if current is None else current.origin().left


def _names() -> "list[str]":
    found = (key[len(_PREFIX) : -len(_SUFFIX)] for key in os.environ if key.startswith(_PREFIX) and key.endswith(_SUFFIX))
    return sorted(key.lower().replace("_", "-") for key in found if key)
