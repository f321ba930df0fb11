"""What is counted of requests, by when they were due: a meter keeps one book for the warm-up and one for the rest."""

from __future__ import annotations

from typing import Any, Dict, Optional, Set

from .histogram import Histogram

OTHER_NAMES = "(other names)"
MOST_NAMES = 500
"""Requests with more names than this are counted together: a name with an id in it must not eat the memory."""

_COUNTERS = ("planned", "started", "done", "failed", "late", "blocked", "dropped", "resent")
_HISTOGRAMS = {
    "response": "response",
    "passed": "passed",
    "service": "service",
    "first_byte": "firstByte",
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

    __slots__ = ("book", "failed", "in_time", "name", "settled", "us")

    def __init__(self, book: "Book", name: str, us: Optional[int], failed: bool) -> None:
        self.book = book
        self.name = name
        self.us = us
        self.failed = failed
        self.settled = failed
        self.in_time = False
        """It ended while requests were begun."""


class Book:
    """Counts between two ticks. Durations are whole microseconds."""

    def __init__(self) -> None:
        self.planned = self.started = self.done = self.failed = 0
        self.late = self.blocked = self.dropped = self.resent = 0
        self.statuses: Dict[int, int] = {}
        self.failures: Dict[str, int] = {}
        self.names: Dict[str, Named] = {}
        self.checks: Dict[str, Dict[str, int]] = {}
        self.response = Histogram()
        self.passed = Histogram()
        self.service = Histogram()
        self.first_byte = Histogram()
        self.lateness = Histogram()
        self._known: Set[str] = set()

    @property
    def empty(self) -> bool:
        """Nothing was entered since the last tick."""
        return not (self.checks or any(getattr(self, counter) for counter in _COUNTERS))

    def ended(self, name: str, us: Optional[int], failure: Optional[str]) -> Outcome:
        """Count a request that has ended, `us` after it should have begun; None: it has no time that could be told.

        It passes when it is settled without a failure.
        """
        self.done += 1
        named = self._named(name)
        named.done += 1
        if us is not None:
            self.response.record(us)
            named.response.record(us)
        if failure is not None:
            self._fail(named, failure)
        return Outcome(self, name, us, failure is not None)

    def settle(self, outcome: Outcome) -> None:
        """No check can change this outcome any more."""
        if not outcome.settled:
            outcome.settled = True
            if outcome.us is not None:
                self.passed.record(outcome.us)

    def fail(self, outcome: Outcome, failure: str) -> bool:
        """Let a request that had passed so far fail after all, once. False when its outcome stood already."""
        if outcome.settled:
            return False
        outcome.failed = outcome.settled = True
        self._fail(self._named(outcome.name), failure)
        return True

    def status(self, status: int) -> None:
        """Count an answer."""
        self.statuses[status] = self.statuses.get(status, 0) + 1

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

    def take(self) -> Dict[str, Any]:
        """All that was entered, in the form of the contract; the book begins anew."""
        entries: Dict[str, Any] = {}
        for counter in _COUNTERS:
            entries[counter] = getattr(self, counter)
            setattr(self, counter, 0)
        entries["statuses"] = {str(status): count for status, count in self.statuses.items()}
        entries["failures"] = self.failures
        self.statuses = {}
        self.failures = {}
        for histogram, word in _HISTOGRAMS.items():
            entries[word] = getattr(self, histogram).take()
        entries["requests"] = {
            name: {"done": one.done, "failed": one.failed, "response": one.response.take()} for name, one in self.names.items()
        }
        self.names = {}
        entries["checks"] = self.checks
        self.checks = {}
        return entries

    def _fail(self, named: Named, failure: str) -> None:
        self.failed += 1
        named.failed += 1
        self.failures[failure] = self.failures.get(failure, 0) + 1

    def _named(self, name: str) -> Named:
        named = self.names.get(name)
        if named is None:
            if name not in self._known:
                if len(self._known) >= MOST_NAMES:
                    name = OTHER_NAMES
                self._known.add(name)
            named = self.names.setdefault(name, Named())
        return named
