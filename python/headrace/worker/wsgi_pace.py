"""Decides how the thread crew runs an app's calls: inline or eager (see wsgi_threads.py), by whether the calls wait.

    inline ──── calls spent a fifth of their time waiting, or one waits right now ────▶ eager
       ▲                                                                                  │
       └────────────────────────── after 16 to 16384 calls ───────────────────────────────┘

Waiting is time in calls in which the thread neither ran nor stood in line for a processor. The latter matters: on a busy
machine quick calls take long, and more threads would only make it worse. Linux tells both (schedstat); elsewhere standing in
line counts as waiting, which is safe and slower.
"""

from __future__ import annotations

import threading
import time
from typing import Callable, Optional, Tuple

_WINDOW = 4_000_000
"""Nanoseconds in calls after which they are judged."""
_SHARE = 5
_LEAST_EAGER = 16
_MOST_EAGER = 16384
_GOOD_WINDOWS = 64

Worker = Tuple[int, int]
"""A thread: its ident and its native id."""


def busy_time(thread: Worker) -> int:
    """Nanoseconds that a thread has run or stood in line for a processor."""
    ident, native_id = thread
    try:
        ran = time.clock_gettime_ns(time.pthread_getcpuclockid(ident))
        with open(f"/proc/self/task/{native_id}/schedstat", "rb", 0) as file:
            return ran + int(file.read().split()[1])
    except (AttributeError, OSError, ValueError, IndexError):
        return time.thread_time_ns() if ident == threading.get_ident() else 0


def stands_in_line(thread: Worker) -> bool:
    """Whether a thread could run right now, or does: the present wait for a processor is not part of `busy_time` yet."""
    try:
        with open(f"/proc/self/task/{thread[1]}/stat", "rb", 0) as file:
            return file.read().rpartition(b") ")[2][:1] == b"R"
    except OSError:
        return False


class Pace:
    """Not thread-safe: used with the crew's lock held. inline: how the next call is to be run.

    enabled: False keeps it eager for good (free-threaded builds run calls side by side). measure: as `busy_time`.
    """

    def __init__(self, enabled: bool, measure: Callable[[Worker], int] = busy_time) -> None:
        self.inline = enabled
        self._enabled = enabled
        self._measure = measure
        self._penalty = _LEAST_EAGER
        self._eager_left = 0
        self._good = 0
        self._thread: Optional[Worker] = None
        self._base = 0
        self._took = 0

    def start(self, thread: Worker) -> None:
        """A thread is about to run a call inline."""
        if self._thread is not thread:
            self._thread = thread
            self._window(self._measure(thread))

    def inline_call(self, took: int) -> None:
        """The thread of `start` has run a call of `took` nanoseconds inline."""
        self._took += took
        if self._took < _WINDOW or self._thread is None:
            return
        now = self._measure(self._thread)
        waited = self._took - (now - self._base)
        if waited * _SHARE > self._took:
            self.slow()
            return
        self._window(now)
        self._good += 1
        if self._good >= _GOOD_WINDOWS:
            self._good = 0
            self._penalty = max(_LEAST_EAGER, self._penalty // 2)

    def eager_call(self) -> None:
        """A call was run while eager."""
        if self._enabled and not self.inline:
            self._eager_left -= 1
            self.inline = self._eager_left <= 0

    def slow(self) -> None:
        """A call waits, or calls have waited: be eager, for twice as long as the last time."""
        self.inline = False
        self._thread = None
        self._good = 0
        self._eager_left = self._penalty
        self._penalty = min(_MOST_EAGER, self._penalty * 2)

    def _window(self, base: int) -> None:
        self._base = base
        self._took = 0
