"""Why a worker could not start: what the `failed` message of the control connection carries."""

from __future__ import annotations

import importlib
import os
import traceback
from types import TracebackType
from typing import List, Optional

EXIT_FAILED = 3
"""Exit status of a process that sent `failed`."""

_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_IMPORTLIB = os.path.dirname(os.path.abspath(importlib.__file__)) + os.sep


class StartupError(Exception):
    """A start-up failure with a stable code.

    stage: "boot", "import", "lifespan" or "fork". code: stable, lower case words joined by dashes.
    message: one sentence for people. The traceback shown is that of `__cause__`, the user's exception, where there is one,
    else `detail`.
    """

    def __init__(self, stage: str, code: str, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.stage = stage
        self.code = code
        self.message = message
        self.detail = detail

    def traceback(self) -> str:
        """The user's traceback, without the worker's own frames; empty when no exception of the user's is behind this."""
        return user_traceback(self.__cause__) if self.__cause__ is not None else self.detail


def user_traceback(error: BaseException) -> str:
    """`error` as Python prints it, the leading frames of the worker and of the import machinery cut off."""
    report = traceback.TracebackException(type(error), error, _cut(error.__traceback__))
    _strip(report, set())
    return "".join(report.format())


def _is_own(filename: str) -> bool:
    return filename.startswith((_OWN, _IMPORTLIB, "<frozen importlib", "<frozen runpy"))


def _cut(tb: Optional[TracebackType]) -> Optional[TracebackType]:
    first = tb
    while tb is not None and _is_own(tb.tb_frame.f_code.co_filename):
        tb = tb.tb_next
    return tb if tb is not None else first


def _strip(report: traceback.TracebackException, seen: "set[int]") -> None:
    """Cut leading own frames of the chained exceptions as well."""
    for other in (report.__cause__, report.__context__):
        if other is None or id(other) in seen:
            continue
        seen.add(id(other))
        stack: List[traceback.FrameSummary] = list(other.stack)
        own = 0
        while own < len(stack) and _is_own(stack[own].filename):
            own += 1
        if own < len(stack):
            del other.stack[:own]
        _strip(other, seen)
