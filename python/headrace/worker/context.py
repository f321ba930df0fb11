"""The context variable that says which request the running code works for: one, because each that is set costs every request."""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import Any, Dict, List, NamedTuple, Optional, Protocol, Tuple, Union

clock = time.monotonic


class Work(Protocol):
    """A request, as far as logs and calls of other services on its behalf have to know it."""

    def id(self) -> str:
        """As in the access log."""

    def origin(self) -> "Origin":
        """What it came with."""


work: "ContextVar[Optional[Work]]" = ContextVar("headrace_work", default=None)
"""None outside of requests."""


def request_id() -> str:
    """The id of the request that the running code works for; empty outside of requests."""
    current = work.get()
    return "" if current is None else current.id()


class Origin(NamedTuple):
    """headers: by lower-case name, of several of one name the last. left: seconds until the response is due; None: no limit."""

    headers: Dict[str, str]
    left: Optional[float]


def origin_of(pairs: "List[Tuple[Any, Any]]", timeout: Union[bytes, str], began: float, answered: bool) -> Origin:
    """pairs: of bytes or latin-1 text. timeout: milliseconds in digits, or nothing, from `began` on. answered: nothing is due."""
    headers = {_text(name): _text(value) for name, value in pairs}
    if answered or not timeout:
        return Origin(headers, None)
    return Origin(headers, int(timeout) / 1000 - (clock() - began))


def _text(value: Union[bytes, str]) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
