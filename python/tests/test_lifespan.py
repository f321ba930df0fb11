"""ASGI lifespan: startup, state, context, shutdown, and apps that do it wrong."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from harness import Platform

GOOD = """
import asyncio, contextvars, sys
flavour = contextvars.ContextVar("flavour", default="none")

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        assert scope["asgi"] == {"version": "3.0", "spec_version": "2.0"}
        assert await receive() == {"type": "lifespan.startup"}
        flavour.set("vanilla")
        scope["state"]["items"] = ["kept"]
        scope["state"]["top"] = 1
        asyncio.get_running_loop().app_loop = True if hasattr(asyncio.get_running_loop(), "__dict__") else None
        await send({"type": "lifespan.startup.complete"})
        assert await receive() == {"type": "lifespan.shutdown"}
        print("state at shutdown", sorted(scope["state"]), file=sys.stderr, flush=True)
        await send({"type": "lifespan.shutdown.complete"})
        print("after shutdown", file=sys.stderr, flush=True)
        return
    state = scope["state"]
    before = (state["top"], list(state["items"]), flavour.get())
    state["top"] = 2
    flavour.set("chocolate")
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": repr(before).encode()})
"""

HELLO = """
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"served"})
"""


def app(lifespan: str, rest: str = HELLO) -> str:
    """An app whose lifespan has this body."""
    lines = "".join(f"        {line}\n" for line in lifespan.strip().splitlines())
    head = "import asyncio, sys\nasync def app(scope, receive, send):\n    if scope['type'] == 'lifespan':\n"
    return head + lines + "        return\n" + rest.replace("\n    ", "\n    ")


def test_startup_state_context_and_shutdown(platform: Platform) -> None:
    instance = platform.start("app.py", GOOD, lifespan="on", logs=True)
    assert instance.wait("ready")["phases"]["lifespan"] >= 0
    with instance.connect() as gateway:
        for _ in range(2):
            assert gateway.get("/").body == b"(1, ['kept'], 'vanilla')"
    assert instance.stop() == 0
    instance.wait_log("state at shutdown ['items', 'top']")
    instance.wait_log("after shutdown")
    instance.wait("stopped")


@pytest.mark.parametrize(
    "body",
    [
        "raise ValueError('not here')",
        "return",
        "await receive()\nraise ValueError('in startup')",
        "await receive()",
        "raise SystemExit(3)",
    ],
)
def test_auto_serves_apps_without_lifespan(platform: Platform, body: str) -> None:
    instance = platform.start("app.py", app(body), logs=True)
    with instance.connect() as gateway:
        assert gateway.get("/").body == b"served"
    assert instance.stop() == 0
    if "in startup" in body:
        instance.wait_log("ValueError: in startup")
    else:
        assert not [line for line in instance.log() if "Traceback" in line]


def test_on_insists(platform: Platform) -> None:
    failed = platform.fail("app.py", app("raise ValueError('not here')"), lifespan="on")
    assert (failed["stage"], failed["code"]) == ("lifespan", "lifespan-unsupported")
    assert "ValueError: not here" in failed["message"] and "raise ValueError" in failed["traceback"]
    assert "headrace" not in failed["traceback"]
    failed = platform.fail("app.py", app("return"), lifespan="on")
    assert failed["code"] == "lifespan-unsupported" and failed["traceback"] == ""


def test_off_never_calls(platform: Platform) -> None:
    instance = platform.start("app.py", app("print('called', file=sys.stderr, flush=True)"), lifespan="off", logs=True)
    with instance.connect() as gateway:
        assert gateway.get("/").body == b"served"
    assert instance.stop() == 0
    assert not [line for line in instance.log() if "called" in line]


def test_startup_failed(platform: Platform) -> None:
    body = """
await receive()
try:
    raise ValueError("no database")
except ValueError:
    await send({"type": "lifespan.startup.failed", "message": "first line\\nno database"})
    raise
"""
    failed = platform.fail("app.py", app(body))
    assert (failed["stage"], failed["code"]) == ("lifespan", "lifespan-failed")
    assert failed["message"] == "The app's startup failed: no database"
    assert "ValueError: no database" in failed["traceback"]
    body = 'await receive()\nawait send({"type": "lifespan.startup.failed"})'
    assert platform.fail("app.py", app(body))["message"].endswith("it gave no reason")


def test_startup_timeout(platform: Platform) -> None:
    failed = platform.fail("app.py", app("await asyncio.Event().wait()"), startup_timeout_ms=50)
    assert failed["code"] == "lifespan-timeout"


COMPLETE = 'await receive()\nawait send({"type": "lifespan.startup.complete"})\nawait receive()\n'


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ('await send({"type": "lifespan.shutdown.failed", "message": "no goodbye"})', "shutdown failed: no goodbye"),
        ("raise ValueError('at the end')", "ValueError: at the end"),
        ("await asyncio.Event().wait()", "did not complete within 0.05 s"),
    ],
)
def test_shutdown_that_fails_is_logged(platform: Platform, body: str, line: str) -> None:
    instance = platform.start("app.py", app(COMPLETE + body), logs=True)
    assert instance.stop(timeout_ms=50) == 0
    instance.wait_log(line)
    instance.wait("stopped")


def test_a_lifespan_that_returns_early_is_no_failure(platform: Platform) -> None:
    body = 'await receive()\nawait send({"type": "lifespan.startup.complete"})'
    instance = platform.start("app.py", app(body), logs=True)
    with instance.connect() as gateway:
        assert gateway.get("/").body == b"served"
    assert instance.stop() == 0


def test_stop_during_startup_still_shuts_down(platform: Platform) -> None:
    body = """
await receive()
print("starting", file=sys.stderr, flush=True)
while "go" not in __import__("os").environ:
    if __import__("os").path.exists("go"):
        break
    await asyncio.sleep(0.005)
await send({"type": "lifespan.startup.complete"})
await receive()
print("shut down", file=sys.stderr, flush=True)
await send({"type": "lifespan.shutdown.complete"})
"""
    instance = platform.spawn("app.py", app(body), logs=True)
    platform.attached(instance)
    instance.wait_log("starting")
    instance.tell("stop", timeout_ms=5000)
    instance.tell("stats")
    instance.wait("stats")  # control messages are taken in order, also during startup
    platform.write("go", "")
    assert instance.join() == 0
    instance.wait_log("shut down")
    assert not [message for message in instance.messages if message["type"] == "ready"]


def test_wrong_lifespan_messages_raise_into_the_app(platform: Platform) -> None:
    body = (
        """
for wrong in ({"type": "lifespan.shutdown.complete"}, {"type": "http.response.start"}, {}):
    try:
        await send(wrong)
    except Exception as error:
        print("wrong:", type(error).__name__, file=sys.stderr, flush=True)
"""
        + COMPLETE
    )
    instance = platform.start("app.py", app(body), logs=True)
    assert instance.stop() == 0
    found = [line for line in instance.log() if "wrong:" in line]
    assert found == ["wrong: RuntimeError", "wrong: RuntimeError", "wrong: KeyError"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups are of Python 3.11")
def test_an_exception_group_is_an_exception(platform: Platform) -> None:
    failed: Any = platform.fail("app.py", app("raise BaseExceptionGroup('g', [KeyboardInterrupt()])"), lifespan="on")
    assert failed["code"] == "lifespan-unsupported"
