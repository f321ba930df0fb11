"""What a scenario is written with: users, their tasks, checks and measures."""

from __future__ import annotations

import asyncio
import random
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Dict, List, Optional, Tuple, Type, TypeVar, Union, overload

from .book import Outcome
from .client import Client, RequestError

if TYPE_CHECKING:
    from .stage import Stage

_Task = TypeVar("_Task", bound=Callable[..., Awaitable[Any]])
_WEIGHT = "_headrace_weight"


class StopUser(Exception):
    """Raised in a task, it ends this user. In a closed model no other takes its place."""


@overload
def task(weight: _Task) -> _Task: ...
@overload
def task(weight: int = 1) -> Callable[[_Task], _Task]: ...
def task(weight: Union[int, _Task] = 1) -> Union[_Task, Callable[[_Task], _Task]]:
    """Make a method a task: `@task`, or `@task(3)` for one that is picked three times as often."""
    if not isinstance(weight, int):
        setattr(weight, _WEIGHT, 1)
        return weight
    if weight < 0:
        raise ValueError(f"@task({weight}): a weight is 0 or more")
    share = weight

    def mark(method: _Task) -> _Task:
        setattr(method, _WEIGHT, share)
        return method

    return mark


def tasks_of(kind: "Type[User]") -> List[Tuple[str, int]]:
    """The tasks of a class, its bases' included, with their weights, in order of definition."""
    found: Dict[str, int] = {}
    for base in reversed(kind.__mro__):
        for name, value in vars(base).items():
            weight = getattr(value, _WEIGHT, None)
            if weight is not None:
                found[name] = weight
            elif name in found:
                # A subclass has overridden the task with something that is none.
                del found[name]
    return [(name, weight) for name, weight in found.items() if weight > 0]


class User:
    """A virtual user. A scenario derives its own from this class; every user is an object of its own with its own state.

    weight: how many of all users are of this class, beside the others' weights. host: where its requests go when the run names
    no other. abstract: set in a class that is only a base of others. wait_time: how long it waits after each task, a method or
    one of `constant`, `between`, `constant_pacing`, `constant_throughput`; without one it does not wait.
    """

    weight: int = 1
    host: Optional[str] = None
    abstract: bool = False

    def __init__(self, stage: "Stage", number: int) -> None:
        self._stage = stage
        self.number = number
        """Counted from 0 over all processes of the run."""
        self._random: Optional[random.Random] = None
        self.client = Client(self, stage.plan.host or self.host, stage.plan.headers)
        self.task_began = 0.0
        """When the task began, in time.monotonic()."""
        self._due: Optional[float] = None
        self._last: Optional[Outcome] = None

    @property
    def random(self) -> random.Random:
        """Random numbers of this user: the same in every run with the same --seed."""
        # Late: a generator takes 2.5 KiB, and of many users not all draw.
        if self._random is None:
            self._random = random.Random(f"{self._stage.plan.seed} {self.number}")
        return self._random

    def wait_time(self) -> float:
        """Seconds to wait after a task."""
        return 0.0

    async def on_start(self) -> None:
        """Run once, before the first task."""

    async def on_stop(self) -> None:
        """Run once, when the user ends."""

    def check(self, name: str, passed: object) -> bool:
        """Count a check. One that did not pass lets the request before it fail. Returns whether it passed."""
        well = bool(passed)
        self._stage.meter.check(name, well, self._last)
        if not well and self._last is not None:
            self._stage.meter.fail(self._last, "check")
        return well

    def measure(self, name: str) -> "Measure":
        """Count what runs inside of `with` as a request of this name: for what the client here does not speak."""
        return Measure(self, name)

    def _begin(self, now: float) -> float:
        """A request begins: settles the one before, and returns when this one should have begun."""
        meter = self._stage.meter
        if self._last is not None:
            meter.settle(self._last)
            self._last = None
        # What an arrival begins with is counted from when it was due.
        due = now if self._due is None else self._due
        self._due = None
        meter.book(due).started += 1
        return due

    def _end(self, outcome: Outcome) -> None:
        if self._last is not None:
            self._stage.meter.settle(self._last)
        self._last = outcome

    def _settle(self) -> None:
        if self._last is not None:
            self._stage.meter.settle(self._last)
            self._last = None


class Measure:
    """A request that the scenario makes by other means. Times run from `with` to its end; an exception lets it fail."""

    def __init__(self, user: User, name: str) -> None:
        self._user = user
        self._name = name
        self._failure: Optional[str] = None
        self._due = 0.0
        self._began = 0.0

    def fail(self, why: str = "") -> None:
        """Let it fail without an exception."""
        self._failure = "check"
        if why:
            self._user._stage.link.note(f"{self._name}: {why}")

    def status(self, status: int) -> None:
        """Have a status counted with it; one of 400 or more lets it fail."""
        self._user._stage.meter.book(self._due).status(status)
        if status >= 400:
            self._failure = "status"

    def __enter__(self) -> "Measure":
        self._began = monotonic()
        self._due = self._user._begin(self._began)
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        stage = self._user._stage
        end = monotonic()
        failure = self._failure if error is None else failure_of(error, stage.ended)
        outcome = stage.meter.ended(self._name, self._due, failure, end)
        if outcome.us is not None:
            outcome.book.service.record(int((end - self._began) * 1e6))
        self._user._end(outcome)


def failure_of(error: BaseException, ended: bool) -> str:
    """The word of the contract for an exception of a scenario."""
    if isinstance(error, RequestError):
        return error.kind
    if isinstance(error, AssertionError):
        return "check"
    if isinstance(error, asyncio.CancelledError):
        return "unfinished" if ended else "timeout"
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)):
        return "timeout"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, ConnectionResetError):
        return "reset"
    # httpx, aiohttp and their like have exceptions of their own, which a name tells apart well enough.
    return "timeout" if "Timeout" in type(error).__name__ else "exception"
