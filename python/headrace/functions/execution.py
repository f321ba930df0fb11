"""The execution id of a call: made up where the request has none, and added to log lines when LOG_EXECUTION_ID says so."""

from __future__ import annotations

import io
import json
import os
import random
import re
import string
import sys
from contextvars import ContextVar
from typing import Any, Dict, NamedTuple, Optional

HEADER = "function-execution-id"
TRACE = "x-cloud-trace-context"
ENVIRON = "HTTP_FUNCTION_EXECUTION_ID"

_TRUE = ("y", "yes", "t", "true", "on", "1")
_LETTERS = string.digits + string.ascii_letters
_LABELS = "logging.googleapis.com/labels"
_SPAN = "logging.googleapis.com/spanId"
_span = re.compile(r"\w+/(\d+);o=[01]").fullmatch


class Execution(NamedTuple):
    """One call. span: of the trace that the request belongs to, if it says so."""

    id: str
    span: Optional[str]


current: "ContextVar[Optional[Execution]]" = ContextVar("headrace_execution", default=None)


def new_id() -> str:
    """Twelve letters and digits."""
    return "".join(random.choices(_LETTERS, k=12))


def enter(trace: Optional[str], execution_id: str) -> None:
    """Make this the execution of the running context. trace: the request's x-cloud-trace-context, if any."""
    match = _span(trace or "")
    current.set(Execution(execution_id, match.group(1) if match else None))


class LabelledStream(io.TextIOBase):
    """Writes what is printed inside of an execution as lines of JSON that carry its id; anything else as it is."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """As the stream below."""
        return str(getattr(self._stream, "encoding", "utf-8"))

    def fileno(self) -> int:
        """The descriptor of the stream below."""
        return int(self._stream.fileno())

    def writable(self) -> bool:
        """Always."""
        return True

    def flush(self) -> None:
        """Flush the stream below."""
        self._stream.flush()

    def write(self, text: str) -> int:
        """Write, as described above. The number of characters."""
        execution = current.get()
        if execution is None:
            self._stream.write(text)
        elif text != "\n":  # print() writes its line end apart; each line here has its own
            self._stream.write(json.dumps(_labelled(text, execution)) + "\n")
            self._stream.flush()
        return len(text)


def _labelled(text: str, execution: Execution) -> Dict[str, Any]:
    try:
        entry = json.loads(text)
    except ValueError:
        entry = None
    if not isinstance(entry, dict):
        entry = {"message": text[:-1] if text.endswith("\n") else text}
    labels = entry.get(_LABELS)
    entry[_LABELS] = {**(labels if isinstance(labels, dict) else {}), "execution_id": execution.id}
    if execution.span:
        entry[_SPAN] = execution.span
    return entry


def label_logs() -> None:
    """Label what the process prints, when the environment asks for it."""
    if os.environ.get("LOG_EXECUTION_ID") in _TRUE:
        sys.stdout = LabelledStream(sys.stdout)
        sys.stderr = LabelledStream(sys.stderr)
