"""What this process counts, and the ticks that it is told in: one JSON object a second, see src/load/messages.ts."""

from __future__ import annotations

import os
import time
from typing import Any, Dict, Optional, Set

from .histogram import Histogram

OTHER_NAMES = "(other names)"
MOST_NAMES = 500
"""Requests with more names than this are counted together: a name with an id in it must not eat the memory."""

_PAGE = os.sysconf("SC_PAGE_SIZE")
_COUNTERS = {
    name: name.replace("_i", "I").replace("_o", "O")
    for name in ("planned", "started", "done", "failed", "late", "blocked", "resent", "bytes_in", "bytes_out", "opened")
}
_HISTOGRAMS = {
    "response": "response",
    "passed": "passed",
    "service": "service",
    "first_byte": "firstByte",
    "connect": "connect",
    "lateness": "lateness",
}
_LATE_US = 10_000


class Named:
    """The requests of one name, since the last tick."""

    __slots__ = ("done", "failed", "response")

    def __init__(self) -> None:
        self.done = 0
        self.failed = 0
        self.response = Histogram()


class Outcome:
    """A request that has ended. It may still turn out to have failed, when a check of the scenario says so."""

    __slots__ = ("failed", "name", "settled", "us")

    def __init__(self, name: str, us: int, failed: bool) -> None:
        self.name = name
        self.us = us
        self.failed = failed
        self.settled = failed


class Meter:
    """Counts between two ticks. Durations are whole microseconds."""

    def __init__(self) -> None:
        self.planned = self.started = self.done = self.failed = 0
        self.late = self.blocked = self.resent = 0
        self.bytes_in = self.bytes_out = self.opened = 0
        # These are "now", not "since".
        self.connections = 0
        self.busy = 0
        self.users = 0
        self.statuses: Dict[int, int] = {}
        self.failures: Dict[str, int] = {}
        self.names: Dict[str, Named] = {}
        self.checks: Dict[str, Dict[str, int]] = {}
        self.response = Histogram()
        self.passed = Histogram()
        self.service = Histogram()
        self.first_byte = Histogram()
        self.connect = Histogram()
        self.lateness = Histogram()
        self._known: Set[str] = set()
        self._cpu = time.process_time_ns()

    def ended(self, name: str, us: int, failure: Optional[str]) -> Outcome:
        """Count a request that has ended, `us` after it should have begun. It passes when it is settled without a failure."""
        self.done += 1
        self.response.record(us)
        named = self._named(name)
        named.done += 1
        named.response.record(us)
        outcome = Outcome(name, us, failure is not None)
        if failure is not None:
            self.failed += 1
            named.failed += 1
            self.failures[failure] = self.failures.get(failure, 0) + 1
        return outcome

    def failed_untimed(self, name: str, failure: str) -> None:
        """Count a failure that belongs to no request, and took no time that could be told."""
        self.done += 1
        self.failed += 1
        named = self._named(name)
        named.done += 1
        named.failed += 1
        self.failures[failure] = self.failures.get(failure, 0) + 1

    def settle(self, outcome: Outcome) -> None:
        """No check can change this outcome any more."""
        if not outcome.settled:
            outcome.settled = True
            self.passed.record(outcome.us)

    def fail(self, outcome: Outcome, failure: str) -> None:
        """Let a request that had passed so far fail after all, once."""
        if outcome.settled:
            return
        outcome.failed = outcome.settled = True
        self.failed += 1
        self._named(outcome.name).failed += 1
        self.failures[failure] = self.failures.get(failure, 0) + 1

    def check(self, name: str, passed: bool) -> None:
        """Count a check."""
        counts = self.checks.get(name)
        if counts is None:
            if len(self.checks) >= MOST_NAMES:
                name = OTHER_NAMES
            counts = self.checks.setdefault(name, {"passed": 0, "failed": 0})
        counts["passed" if passed else "failed"] += 1

    def arrived(self, lateness_us: int) -> None:
        """Count an arrival that was due, and begun so much later."""
        self.planned += 1
        self.lateness.record(lateness_us)
        if lateness_us > _LATE_US:
            self.late += 1

    def tick(self, at: float, span: float, warmup: bool) -> Dict[str, Any]:
        """Everything since the last tick, in the form of the contract; counting begins anew."""
        message: Dict[str, Any] = {"type": "tick", "atS": round(at, 6), "spanS": round(span, 6), "warmup": warmup}
        for counter, word in _COUNTERS.items():
            message[word] = getattr(self, counter)
            setattr(self, counter, 0)
        message["connections"] = self.connections
        message["inFlight"] = self.busy
        message["users"] = self.users
        message["statuses"] = {str(status): count for status, count in self.statuses.items()}
        message["failures"] = self.failures
        self.statuses = {}
        self.failures = {}
        for histogram, word in _HISTOGRAMS.items():
            message[word] = getattr(self, histogram).take()
        message["requests"] = {
            name: {"done": one.done, "failed": one.failed, "response": one.response.take()} for name, one in self.names.items()
        }
        self.names = {}
        message["checks"] = self.checks
        self.checks = {}
        cpu = time.process_time_ns()
        message["cpuUs"] = (cpu - self._cpu) // 1000
        self._cpu = cpu
        message["memoryBytes"] = _resident()
        return message

    def _named(self, name: str) -> Named:
        named = self.names.get(name)
        if named is None:
            if name not in self._known:
                if len(self._known) >= MOST_NAMES:
                    name = OTHER_NAMES
                self._known.add(name)
            named = self.names.setdefault(name, Named())
        return named


def _resident() -> int:
    """Resident memory in bytes; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return 0
