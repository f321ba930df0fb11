"""Scenarios for `headrace load scenario.py`: virtual users with tasks, think time, checks and state of their own.

    from headrace.load import User, between, task

    class Visitor(User):
        wait_time = between(1, 5)

        @task(3)
        async def browse(self) -> None:
            page = await self.client.get("/items")
            self.check("has items", len(page.json()) > 0)

docs/load.md explains it. The names are loaded when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import Client, RequestError
    from .response import Headers, Response
    from .user import Measure, StopUser, User, task
    from .waits import between, constant, constant_pacing, constant_throughput

__all__ = [
    "Client",
    "Headers",
    "Measure",
    "RequestError",
    "Response",
    "StopUser",
    "User",
    "between",
    "constant",
    "constant_pacing",
    "constant_throughput",
    "task",
]

_HOMES = {
    "Client": "client",
    "Headers": "response",
    "Measure": "user",
    "RequestError": "client",
    "Response": "response",
    "StopUser": "user",
    "User": "user",
    "between": "waits",
    "constant": "waits",
    "constant_pacing": "waits",
    "constant_throughput": "waits",
    "task": "user",
}


def __getattr__(name: str) -> Any:
    # Late, because gevent has to patch the standard library before anything imports asyncio and ssl; see locust_shim.py.
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
