"""How app calls are started: at once where possible, as real tasks, each in a context of its own."""

from __future__ import annotations

import asyncio
import contextvars
import importlib.util
from typing import Any, Iterator, List

import pytest

from headrace.worker.asgi import _starter

LOOPS = ["asyncio", "uvloop"] if importlib.util.find_spec("uvloop") else ["asyncio"]
flavour: "contextvars.ContextVar[str]" = contextvars.ContextVar("flavour", default="none")


@pytest.fixture(params=LOOPS)
def loop(request: Any) -> Iterator[asyncio.AbstractEventLoop]:
    one = importlib.import_module(request.param).new_event_loop()
    yield one
    one.close()


@pytest.fixture(params=[True, False])
def eager(request: Any) -> bool:
    return bool(request.param)


def run(loop: asyncio.AbstractEventLoop, callback: Any) -> None:
    """Call `callback(done)` from the loop, as a protocol is called, and run until it calls done."""
    failed: List[BaseException] = []

    def call() -> None:
        try:
            callback(loop.stop)
        except BaseException as error:
            failed.append(error)
            loop.stop()

    loop.call_soon(call)
    loop.run_forever()
    if failed:
        raise failed[0]


def base(value: str) -> contextvars.Context:
    context = contextvars.copy_context()
    context.run(flavour.set, value)
    return context


def test_first_step_then_the_rest(loop: asyncio.AbstractEventLoop, eager: bool) -> None:
    start = _starter(loop, base("vanilla"), eager)
    seen: List[Any] = []

    async def job(number: int, done: Any) -> None:
        task = asyncio.current_task()
        seen.append((number, flavour.get()))
        flavour.set(f"changed by {number}")
        await asyncio.sleep(0)
        assert asyncio.current_task() is task and task is not None and task.get_name() == f"/{number}"
        seen.append((number, flavour.get()))
        if number == 2:
            done()

    tasks: List[Any] = []

    def call(done: Any) -> None:
        for number in (1, 2):
            tasks.append(start(job(number, done), f"/{number}"))
            assert len(seen) == (number if eager else 0)
        assert asyncio.current_task(loop) is None
        loop.call_soon(seen.append, "the loop's own call_soon")

    run(loop, call)
    assert seen[:2] == [(1, "vanilla"), (2, "vanilla")]
    assert (1, "changed by 1") in seen and (2, "changed by 2") in seen
    assert "the loop's own call_soon" in seen
    assert "call_soon" not in vars(loop)
    assert all(task.done() and task.exception() is None for task in tasks)


def test_inside_another_task_it_is_started_as_usual(loop: asyncio.AbstractEventLoop, eager: bool) -> None:
    start = _starter(loop, base("vanilla"), eager)

    async def job() -> str:
        return flavour.get()

    async def outer() -> Any:
        before = asyncio.current_task()
        task: Any = start(job(), "/")  # type: ignore[arg-type]
        assert asyncio.current_task() is before
        return await task

    assert loop.run_until_complete(outer()) == "vanilla"


def test_an_exception_stays_in_the_task(loop: asyncio.AbstractEventLoop, eager: bool) -> None:
    start = _starter(loop, base("vanilla"), eager)

    async def job() -> None:
        raise ValueError("inside")

    tasks: List[Any] = []

    def call(done: Any) -> None:
        tasks.append(start(job(), "/"))
        loop.call_soon(done)

    run(loop, call)
    assert isinstance(tasks[0].exception(), ValueError)
