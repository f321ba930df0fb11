"""The life of one virtual user.

    new ──on_start──▶ idle ──begin──▶ busy ──the task ended──▶ idle … ──finish──▶ on_stop ──▶ gone

Busy users are given the grace of the plan to end their task; idle ones end at once.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any, Awaitable, Callable, List, Optional, Type

from .client import RequestError
from .loading import place_of, trace_of
from .stage import Stage
from .user import StopUser, User, tasks_of


class Kind:
    """A class of users, looked at once."""

    def __init__(self, kind: Type[User]) -> None:
        self.kind = kind
        self.name = kind.__name__
        self.tasks = tasks_of(kind)
        self._names = [name for name, _ in self.tasks]
        sums: List[int] = []
        for _, weight in self.tasks:
            sums.append(weight + (sums[-1] if sums else 0))
        self._sums = sums

    def pick(self, user: User) -> str:
        """The name of a task, drawn by weight from the user's own random numbers."""
        if len(self._names) == 1:
            return self._names[0]
        return user.random.choices(self._names, cum_weights=self._sums)[0]


def new_user(stage: Stage, kind: Kind, number: int) -> "Optional[Running]":
    """A user that is about to begin. None when its constructor raised, which is counted and noted."""
    try:
        return Running(stage, kind, number)
    except Exception as error:  # noqa: BLE001  whatever a scenario raises
        stage.link.note(f"{kind.name} could not be made.\n{trace_of(error)}", f"made {kind.name} {type(error).__name__}")
        stage.meter.failed_untimed(kind.name, "exception")
        return None


class Running:
    """A user at work. What its code raises is counted and noted, and never goes further than this."""

    def __init__(self, stage: Stage, kind: Kind, number: int) -> None:
        self.kind = kind
        self._stage = stage
        self.user = kind.kind(stage, number)
        self.busy = False
        self.stopped = False
        """It has raised StopUser, or its on_start failed."""

    async def start(self) -> bool:
        """Run on_start. False when it failed: such a user does nothing."""
        self._stage.meter.users += 1
        well = await self._guard(f"{self.kind.name}.on_start", self.user.on_start)
        if not well:
            self.stopped = True
        return well

    async def iterate(self, due: Optional[float]) -> bool:
        """Run one task. due: when it should have begun, in time.monotonic(); None for now. False when it failed."""
        user = self.user
        name = self.kind.pick(user)
        user.task_began = monotonic()
        user._due = due
        done = await self._guard(name if self.kind.name == "Scenario" else f"{self.kind.name}.{name}", getattr(user, name))
        user._due = None
        return done

    def pause(self) -> float:
        """Seconds to wait before the next task. A wait_time that raises ends the user."""
        try:
            return max(0.0, float(self.user.wait_time()))
        except Exception as error:  # noqa: BLE001  whatever a scenario raises
            self._failed(f"{self.kind.name}.wait_time", error, monotonic())
            self.stopped = True
            return 0.0

    async def stop(self) -> None:
        """Run on_stop and close what is open."""
        await self._guard(f"{self.kind.name}.on_stop", self.user.on_stop)
        self.leave()

    def leave(self) -> None:
        """Close what is open."""
        self.user.client.close()
        self._stage.meter.users -= 1

    async def _guard(self, title: str, code: Callable[[], Awaitable[Any]]) -> bool:
        user, meter = self.user, self._stage.meter
        user._last = None
        began = monotonic() if user._due is None else user._due
        self.busy = True
        meter.busy += 1
        try:
            await code()
        except StopUser:
            self.stopped = True
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  whatever a scenario raises
            self._failed(title, error, began)
            return False
        finally:
            self.busy = False
            meter.busy -= 1
            user._settle()
        return True

    def _failed(self, title: str, error: Exception, began: float) -> None:
        user, stage = self.user, self._stage
        if isinstance(error, RequestError):
            # Counted and noted where it was raised, unless the scenario has made it itself.
            return
        failure = "check" if isinstance(error, AssertionError) else "exception"
        place, line = place_of(error)
        if failure == "check":
            # An assertion says what it wants in its message, or by itself.
            text = str(error).split("\n")[0] or line or "assert"
            stage.meter.check(text, False, user._last)
            stage.link.note(f"{title}: a check failed: {text} ({place})", f"{title} {place}")
        else:
            stage.link.note(f"{title} raised an exception.\n{trace_of(error)}", f"{title} {type(error).__name__} {place}")
        if user._last is not None:
            stage.meter.fail(user._last, failure)
            return
        # An iteration that made no request would leave no trace in the figures.
        book = stage.meter.book(began)
        book.started += 1
        book.ended(title, None, failure)
