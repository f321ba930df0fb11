"""How long a user waits between two tasks. Each function returns what a class takes as its `wait_time`; all times are seconds."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from .user import User

# A method when it stands in a class: mypy binds it as it binds a function.
WaitTime = Callable[[Any], float]


def constant(seconds: float) -> WaitTime:
    """Always the same time."""
    return lambda user: seconds


def between(low: float, high: float) -> WaitTime:
    """A time drawn evenly from `low` to `high`, from the user's own random numbers."""
    if low > high or low < 0:
        raise ValueError(f"between({low}, {high}): give the shorter time first, and none below 0")

    def wait(user: "User") -> float:
        return user.random.uniform(low, high)

    return wait


def constant_pacing(seconds: float) -> WaitTime:
    """As long as is left of `seconds` since the task before began: a task that takes longer is followed at once."""

    def wait(user: "User") -> float:
        return max(0.0, user.task_began + seconds - monotonic())

    return wait


def constant_throughput(per_second: float) -> WaitTime:
    """At most so many tasks a second of each user."""
    if per_second <= 0:
        raise ValueError(f"constant_throughput({per_second}): a rate above 0 is needed")
    return constant_pacing(1 / per_second)
