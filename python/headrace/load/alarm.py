"""A timer that is exact to some microseconds. The event loops' own round to a millisecond, which an open model would count."""

from __future__ import annotations

import asyncio
import ctypes
import os
from time import monotonic
from typing import Callable, Optional

_CLOCK_MONOTONIC = 1
_ABSOLUTE = 1
_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC


class _Spec(ctypes.Structure):
    _fields_ = [(name, ctypes.c_long) for name in ("every_s", "every_ns", "at_s", "at_ns")]


class Alarm:
    """Calls `fired` once at the moment it is set to. A timerfd of Linux; elsewhere the timer of the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fired: Callable[[], None]) -> None:
        self._loop = loop
        self._fired = fired
        self._handle: Optional[asyncio.TimerHandle] = None
        self._spec = _Spec()
        self._fd = -1
        try:
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._fd = self._libc.timerfd_create(_CLOCK_MONOTONIC, _FLAGS)
        except (AttributeError, OSError):
            pass
        if self._fd >= 0:
            loop.add_reader(self._fd, self._ready)

    def set(self, at: float) -> None:
        """Fire at `at`, in time.monotonic(), instead of any time set before; at once when that is over."""
        if self._fd < 0:
            if self._handle is not None:
                self._handle.cancel()
            self._handle = self._loop.call_later(max(0.0, at - monotonic()), self._fired)
            return
        seconds = int(at)
        self._spec.at_s = seconds
        # All zero would switch it off.
        self._spec.at_ns = max(1, int((at - seconds) * 1e9))
        self._libc.timerfd_settime(self._fd, _ABSOLUTE, ctypes.byref(self._spec), None)

    def close(self) -> None:
        """Never fire again."""
        if self._handle is not None:
            self._handle.cancel()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _ready(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return
        self._fired()
