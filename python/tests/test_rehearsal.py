"""What the zygote does in advance for its instances: it runs, it leaves nothing behind, and it does no harm when it fails."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from pathlib import Path
from typing import Any, List

import pytest

from headrace.worker import rehearsal
from headrace.worker.boot import Boot
from headrace.worker.loops import new_loop

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="zygotes are for Linux")


def zygote(folder: Path, loop: str) -> Boot:
    """The boot object of a zygote whose control socket would be in `folder`."""
    return Boot(id="z", token="t", control=str(folder / "control"), role="zygote", loop=loop)


def descriptors() -> List[str]:
    """What is open in this process."""
    return sorted(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_all_requests_are_played_and_nothing_is_left(
    loop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    played: List[str] = []
    real = rehearsal._app

    async def app(scope: Any, receive: Any, send: Any) -> None:
        played.append(scope["type"])
        await real(scope, receive, send)

    # libuv opens a pipe with the first loop of a process, and keeps it.
    new_loop(loop)[0].close()
    monkeypatch.setattr(rehearsal, "_app", app)
    before, threads = descriptors(), threading.active_count()
    rehearsal.rehearse(zygote(tmp_path, loop))
    assert capsys.readouterr().err == ""
    assert played.count("http") == rehearsal.TIMES * rehearsal.REQUESTS
    assert played.count("lifespan") == rehearsal.TIMES
    assert descriptors() == before
    assert threading.active_count() == threads
    assert list(tmp_path.iterdir()) == []


def test_the_loop_that_hooks_find_is_as_it_was(tmp_path: Path) -> None:
    ours = asyncio.new_event_loop()
    asyncio.set_event_loop(ours)
    try:
        rehearsal.rehearse(zygote(tmp_path, "asyncio"))
        assert asyncio.get_event_loop_policy().get_event_loop() is ours
    finally:
        asyncio.set_event_loop(None)
        ours.close()


def test_one_that_fails_is_told_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = descriptors()
    rehearsal.rehearse(zygote(tmp_path / "gone", "asyncio"))
    error = capsys.readouterr().err
    assert error.startswith("headrace zygote: instances start a little slower: StartupError: The data socket ")
    assert len(error.splitlines()) == 1
    assert descriptors() == before


def test_one_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await asyncio.Event().wait()
        await real(scope, receive, send)

    real = rehearsal._app
    monkeypatch.setattr(rehearsal, "_app", app)
    monkeypatch.setattr(rehearsal, "_PATIENCE", 0.2)
    before = descriptors()
    rehearsal.rehearse(zygote(tmp_path, "asyncio"))
    assert "TimeoutError" in capsys.readouterr().err
    assert descriptors() == before
