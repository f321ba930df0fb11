"""What this process counts, and the ticks that it is told in: JSON objects, see src/load/messages.ts."""

from __future__ import annotations

import os
import time
from time import monotonic
from typing import Any, Dict, List, Optional

from .book import Book, Outcome
from .histogram import Histogram

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TIMED = ("timeout", "unfinished", "status", "check")
"""Failures of a request that was answered, or waited for until the end of its time. Others have no time to tell."""


class Meter:
    """Counts between two ticks. Moments are those of time.monotonic(), durations whole microseconds."""

    def __init__(self) -> None:
        self.bytes_in = self.bytes_out = self.opened = 0
        # These are "now", not "since".
        self.connections = 0
        self.busy = 0
        self.users = 0
        self.connect = Histogram()
        self.warm_until = 0.0
        """What is due before is entered in the book of the warm-up."""
        self.ends_at = float("inf")
        """Until when requests are begun; what ends later does not belong to the rate."""
        self._warm = Book()
        self._measured = Book()
        self._in_time = 0
        self._cpu = time.process_time_ns()

    def book(self, due: float) -> Book:
        """Where a request that was due then is entered, whenever it ends."""
        return self._warm if due < self.warm_until else self._measured

    @property
    def started(self) -> int:
        """Requests begun since the last tick."""
        return self._warm.started + self._measured.started

    def ended(self, name: str, due: float, failure: Optional[str], end: Optional[float] = None) -> Outcome:
        """Count a request that was due then and has ended, now when `end` is None.

        It passes when it is settled without a failure.
        """
        if end is None:
            end = monotonic()
        timed = failure is None or failure in _TIMED
        outcome = self.book(due).ended(name, int((end - due) * 1e6) if timed else None, failure)
        # A rate is that of a span of time: what the warm-up left belongs to it, what is worked off afterwards does not.
        if failure is None and self.warm_until <= end <= self.ends_at:
            outcome.in_time = True
            self._in_time += 1
        return outcome

    def failed_untimed(self, name: str, failure: str) -> None:
        """Count a failure that belongs to no request, and took no time that could be told."""
        self.book(monotonic()).ended(name, None, failure)

    def settle(self, outcome: Outcome) -> None:
        """No check can change this outcome any more."""
        outcome.book.settle(outcome)

    def fail(self, outcome: Outcome, failure: str) -> None:
        """Let a request that had passed so far fail after all, once."""
        if outcome.book.fail(outcome, failure) and outcome.in_time:
            self._in_time -= 1

    def check(self, name: str, passed: bool, of: Optional[Outcome]) -> None:
        """Count a check of a request, or of none."""
        book = self.book(monotonic()) if of is None else of.book
        book.check(name, passed)

    def plan_what_began(self) -> None:
        """In a closed loop a request is due when it begins."""
        for book in (self._warm, self._measured):
            book.planned = book.started

    def begin_what_ended(self) -> None:
        """Where nothing is told of requests before they have ended."""
        for book in (self._warm, self._measured):
            book.planned = book.started = book.done

    def ticks(self, at: float, span: float, warmup: bool) -> List[Dict[str, Any]]:
        """Everything since the last ticks, one for the warm-up and one for the rest where there is such; counting begins anew."""
        common: Dict[str, Any] = {"type": "tick", "atS": round(at, 6), "connections": self.connections}
        common.update(inFlight=self.busy, users=self.users, memoryBytes=_resident())
        told = {**common, "spanS": round(span, 6), "warmup": warmup, **self._take_process()}
        # What is due already after a warm-up that ends in this moment waits for the next tick.
        if warmup:
            return [{**told, **self._warm.take()}]
        told.update(self._measured.take())
        if self._warm.empty:
            return [told]
        # The time is told once.
        left = {**common, "spanS": 0, "warmup": True, **self._take_process(), **self._warm.take()}
        return [left, told]

    def _take_process(self) -> Dict[str, Any]:
        """What belongs to no request, or to the time in which it happened."""
        cpu = time.process_time_ns()
        taken = {
            "bytesIn": self.bytes_in,
            "bytesOut": self.bytes_out,
            "opened": self.opened,
            "inTime": self._in_time,
            "connect": self.connect.take(),
            "cpuUs": (cpu - self._cpu) // 1000,
        }
        self.bytes_in = self.bytes_out = self.opened = self._in_time = 0
        self._cpu = cpu
        return taken


def _resident() -> int:
    """Resident memory in bytes; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return 0
