"""The life of a generator process, from its plan to its exit status. It speaks src/load/messages.ts as JSON lines."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING, Any, Dict, NoReturn

from .link import Link
from .plan import Plan

if TYPE_CHECKING:
    import asyncio

    from .runner import Runner

EXIT_FAILED = 3


def main() -> int:
    """Run the plan that comes on stdin. The exit status: 0, or 3 when it could not be begun."""
    link = Link()
    try:
        plan = Plan.from_line(link.first())
    except ValueError as error:
        link.fail(str(error))
        return EXIT_FAILED
    if plan.kind == "locust":
        from . import locust_shim

        return locust_shim.run(plan, link)
    return _run_scenario(plan, link)


def _run_scenario(plan: Plan, link: Link) -> int:
    import asyncio

    from .dial import Origin
    from .loading import ScenarioError, load, trace_of
    from .runner import Runner

    try:
        kinds = load(plan.file)
        for host in [plan.host, *(each.host for each in kinds)]:
            if host is not None:
                Origin.read(host)
    except (ScenarioError, ValueError) as error:
        link.fail(str(error))
        return EXIT_FAILED
    _raise_limit()
    loop = _new_loop()
    asyncio.set_event_loop(loop)
    try:
        runner = Runner(loop, plan, link, kinds)
        go: "asyncio.Future[float]" = loop.create_future()

        def received(message: Dict[str, Any]) -> None:
            if message["type"] == "go" and not go.done():
                go.set_result(message["at"])
            elif message["type"] == "finish":
                runner.finish(message["graceMs"] / 1000)
                go.cancel()

        link.listen(lambda message: loop.call_soon_threadsafe(received, message))
        # What was imported stays: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        link.send({"type": "ready"})
        loop.run_until_complete(_go(runner, go))
    except BaseException as error:  # noqa: BLE001  also SystemExit: a scenario that ends the process
        link.note(f"The generator ended early.\n{trace_of(error)}")
        _leave(1)
    link.send({"type": "done"})
    _leave(0)


async def _go(runner: "Runner", go: "asyncio.Future[float]") -> None:
    import asyncio

    try:
        at = await go
    except asyncio.CancelledError:
        # Finished before it began.
        return
    await runner.run(at)


def _new_loop() -> "asyncio.AbstractEventLoop":
    """uvloop where the user has it, else asyncio's own."""
    import asyncio

    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _raise_limit() -> None:
    """As many file descriptors as the system lets this process have."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            pass


def _leave(status: int) -> NoReturn:
    """End the process, without waiting for what a scenario has left behind: threads, tasks, connections."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(status)
