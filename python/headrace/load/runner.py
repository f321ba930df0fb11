"""Runs the users of one process, in a closed or an open model, and ticks.

waiting ──go──▶ running ──duration over, or told to finish──▶ finishing ──all idle, or the grace over──▶ done
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from itertools import islice
from time import monotonic
from typing import Any, Coroutine, Deque, Dict, Iterator, List, Optional, Set, Type

from .alarm import Alarm
from .arrivals import arrivals, begins, order
from .link import Link
from .plan import Plan
from .running import Kind, Running, new_user
from .stage import Stage
from .user import User

_STOP_GRACE = 2.0
"""What on_stop gets when the grace is over already."""
NOT_BEGUN = "(never begun)"


class Runner:
    """One run in one process."""

    def __init__(self, loop: asyncio.AbstractEventLoop, plan: Plan, link: Link, kinds: List[Type[User]]) -> None:
        self.stage = Stage(loop, plan, link)
        self._loop = loop
        self._plan = plan
        self._kinds = [Kind(each) for each in kinds]
        self._shard = (plan.shard_index, plan.shard_count)
        self._start = 0.0
        self._finish: "asyncio.Future[float]" = loop.create_future()
        self._tasks: Set["asyncio.Task[None]"] = set()
        self._of: Dict["asyncio.Task[None]", Running] = {}
        self._open: Optional[_Open] = None

    def finish(self, grace: float) -> None:
        """Begin nothing more, and end within `grace` seconds."""
        if self._finish.done():
            return
        meter = self.stage.meter
        meter.ends_at = min(meter.ends_at, monotonic())
        if self._open is not None:
            # What was due before this moment, and would be begun in a moment.
            self._open.ring()
        self._finish.set_result(grace)

    async def run(self, at_ms: float) -> None:
        """Run from the moment `at_ms` (Unix milliseconds) to the end. The last tick has been sent when it returns."""
        self._start = monotonic() + at_ms / 1000 - time.time()
        self.stage.meter.warm_until = self._start + self._plan.warmup
        await asyncio.sleep(max(0.0, self._start - monotonic()))
        ticking = self._loop.create_task(self._tick())
        if self._plan.duration is not None:
            self.stage.meter.ends_at = self._start + self._plan.duration
            self._loop.call_later(max(0.0, self._start + self._plan.duration - monotonic()), self.finish, self._plan.grace)
        if self._plan.model == "open":
            self._open = _Open(self, self._kinds)
        working = self._loop.create_task(self._closed() if self._open is None else self._open.run())
        grace = await self._finish
        working.cancel()
        await self._wind_up(grace)
        if self._open is not None:
            self._open.leave_line()
        await asyncio.gather(working, return_exceptions=True)
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)

    def spawn(self, running: Running, life: Coroutine[Any, Any, None]) -> None:
        """Let a user live in a task of its own."""
        task = self._loop.create_task(life)
        self._tasks.add(task)
        self._of[task] = running
        task.add_done_callback(self._gone)

    @property
    def finishing(self) -> bool:
        """Nothing is begun any more."""
        return self._finish.done()

    @property
    def start(self) -> float:
        """When the run began, in time.monotonic()."""
        return self._start

    def _gone(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._of.pop(task, None)
        if not task.cancelled() and task.exception() is not None:
            self.stage.link.note(f"an error of the generator itself: {task.exception()!r}")

    async def _closed(self) -> None:
        plan = self._plan
        classes = order([each.kind.weight for each in self._kinds])
        taken = 0
        for number, at in begins(plan.users, plan.spawn_rate, self._shard):
            delay = self._start + at - monotonic()
            if delay > 0:
                await asyncio.sleep(delay)
            kind = self._kinds[next(islice(classes, number - taken, None))]
            taken = number + 1
            running = new_user(self.stage, kind, number)
            if running is not None:
                self.spawn(running, self._live(running))

    async def _live(self, running: Running) -> None:
        try:
            await running.start()
            while not (self.finishing or running.stopped):
                before = self.stage.meter.started
                well = await running.iterate(None)
                if self.finishing or running.stopped:
                    break
                pause = running.pause()
                if pause > 0 or not well or self.stage.meter.started == before:
                    # Also at 0: a task that waits for nothing must not keep the others from their turn.
                    await asyncio.sleep(pause)
        except asyncio.CancelledError:
            pass
        await running.stop()

    async def _wind_up(self, grace: float) -> None:
        for task, running in list(self._of.items()):
            if not running.busy:
                task.cancel()
        until = monotonic() + grace
        # Users that end may leave their place to one that takes what waits in line.
        while self._tasks and monotonic() < until:
            await asyncio.wait(list(self._tasks), timeout=until - monotonic())
        self.stage.ended = True
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=_STOP_GRACE)

    async def _tick(self) -> None:
        plan = self._plan
        last = 0.0
        try:
            while True:
                boundary = float(int(last + 1e-9) + 1)
                if last < plan.warmup < boundary:
                    boundary = plan.warmup
                if plan.duration is not None and last < plan.duration <= boundary:
                    # What ends the run is told in the last tick, not in one of a millisecond after it.
                    boundary += 1.0
                await asyncio.sleep(max(0.0, self._start + boundary - monotonic()))
                now = monotonic() - self._start
                if now >= boundary + 1:
                    # The process was kept busy: one tick for all of the time.
                    boundary = float(int(now))
                self._say(last, boundary)
                last = boundary
        except asyncio.CancelledError:
            self._say(last, max(last + 1e-6, monotonic() - self._start))

    def _say(self, last: float, now: float) -> None:
        plan, meter = self._plan, self.stage.meter
        if plan.model == "closed":
            meter.plan_what_began()
        for tick in meter.ticks(now, now - last, now <= plan.warmup):
            self.stage.link.send(tick)


class _Open:
    """Iterations on a schedule. A user that is idle takes the next one; where none is, a new one does, up to the limit."""

    def __init__(self, runner: Runner, kinds: List[Kind]) -> None:
        plan = runner.stage.plan
        index, count = plan.shard_index, plan.shard_count
        self._runner = runner
        self._stage = runner.stage
        self._kinds = kinds
        self._classes: Iterator[int] = order([each.kind.weight for each in kinds])
        self._due = arrivals(plan.stages, plan.arrivals, plan.seed, (index, count))
        self._most = max(1, plan.users // count + (1 if index < plan.users % count else 0))
        self._number = index
        self._idle: List[Deque["_Seat"]] = [deque() for _ in kinds]
        self._users = 0
        self._line: Deque[float] = deque()
        self._end = float("inf") if plan.duration is None else plan.duration
        self._next: Optional[float] = None
        self._alarm = Alarm(asyncio.get_running_loop(), self.ring)
        self._advance()

    async def run(self) -> None:
        """Begin what is due, until it is cancelled."""
        self.ring()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self._alarm.close()

    def ring(self) -> None:
        """Begin everything that is due by now."""
        start, meter = self._runner.start, self._stage.meter
        while self._next is not None and not self._runner.finishing:
            now = monotonic()
            due = start + self._next
            if due > now:
                self._alarm.set(due)
                return
            meter.book(due).arrived(int((now - due) * 1e6))
            self._place(due)
            self._advance()

    def _advance(self) -> None:
        at = next(self._due, None)
        self._next = at if at is not None and at < self._end else None

    def _place(self, due: float) -> None:
        which = next(self._classes)
        seat = _waiting(self._idle[which])
        if seat is None and self._users >= self._most:
            # None of its class is idle and no more may be made: one of another class steps in.
            seat = next(filter(None, map(_waiting, self._idle)), None)
        if seat is not None:
            seat.take(due)
        elif self._users < self._most:
            number, self._number = self._number, self._number + self._stage.plan.shard_count
            running = new_user(self._stage, self._kinds[which], number)
            if running is not None:
                self._users += 1
                self._runner.spawn(running, self._live(_Seat(which, running), due))
        else:
            self._stage.meter.book(due).blocked += 1
            self._line.append(due)

    async def _live(self, seat: "_Seat", due: Optional[float]) -> None:
        running = seat.running
        try:
            # What the user begins with stands for the arrival, be it a request of its on_start.
            running.user._due = due
            await running.start()
            due = running.user._due
            while not running.stopped:
                await running.iterate(due)
                if running.stopped:
                    break
                if self._line:
                    # Also when the schedule is over: it was due before, and has the grace to end in.
                    due = self._line.popleft()
                elif self._runner.finishing:
                    break
                else:
                    due = await seat.wait(self._idle[seat.which])
        except asyncio.CancelledError:
            pass
        self._users -= 1
        if self._line and not self._stage.ended:
            self._place(self._line.popleft())
        await running.stop()

    def leave_line(self) -> None:
        """The grace is over for those in the line: they waited until now, in vain."""
        for due in self._line:
            self._stage.meter.ended(NOT_BEGUN, due, "unfinished")
        self._line.clear()


def _waiting(idle: Deque["_Seat"]) -> Optional["_Seat"]:
    while idle:
        seat = idle.pop()
        if seat.waits:
            return seat
    return None


class _Seat:
    """A user of an open model, and what it waits for."""

    __slots__ = ("_waiter", "running", "which")

    def __init__(self, which: int, running: Running) -> None:
        self.which = which
        self.running = running
        self._waiter: Optional["asyncio.Future[float]"] = None

    def take(self, due: float) -> None:
        """Begin an iteration."""
        if self._waiter is None:
            raise RuntimeError("this user waits for nothing")
        self._waiter.set_result(due)

    @property
    def waits(self) -> bool:
        """It can take an iteration: it has not been told to end."""
        return self._waiter is not None and not self._waiter.done()

    async def wait(self, idle: Deque["_Seat"]) -> float:
        """Wait, idle, for the next iteration."""
        self._waiter = asyncio.get_running_loop().create_future()
        idle.append(self)
        return await self._waiter
