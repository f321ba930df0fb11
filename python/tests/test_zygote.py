"""A zygote and its children, as the platform sees them on the control socket."""

from __future__ import annotations

import os
import select
import signal
import sys
from typing import Any, Dict, Optional, cast

import pytest
from harness import DEADLINE, Instance, Platform

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="zygotes are for Linux")

APP = """
import os
made_in = os.getpid()
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = f"{made_in} {os.getpid()} {os.environ['HEADRACE_INSTANCE']}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""


class Forked:
    """A process that is the zygote's child, with what the harness asks of a Popen."""

    def __init__(self) -> None:
        self.pid = 0

    def poll(self) -> Optional[int]:
        """None while it is there."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 0
        return None

    def kill(self) -> None:
        """End it."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout: float = DEADLINE) -> int:
        """Wait until it is gone."""
        try:
            fd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return 0
        try:
            assert select.select([fd], [], [], timeout)[0], f"process {self.pid} is still there"
        finally:
            os.close(fd)
        return 0


def start_zygote(platform: Platform, source: str = APP, level: str = "app", **options: Any) -> Instance:
    """A zygote that is ready."""
    return platform.start("app.py", source, role="zygote", preload=level, **options)


def boot(platform: Platform, name: str, **options: Any) -> Dict[str, Any]:
    """The boot object of an instance to fork."""
    return {
        "id": name,
        "role": "instance",
        "token": "secret",
        "control": platform.control_path,
        "listen": os.path.join(platform.folder, f"{name}.sock"),
        "logs": platform.logs_path,
        "app": "app.py",
        "app_dir": platform.folder,
        "loop": "asyncio",
        **options,
    }


def fork(platform: Platform, zygote: Instance, name: str, **options: Any) -> Instance:
    """Ask for a fork and wait until it is done."""
    process = Forked()
    child = Instance(platform, cast(Any, process), name, os.path.join(platform.folder, f"{name}.sock"))
    platform.instances[name] = child
    count = sum(message["type"] == "forked" for message in zygote.messages)
    zygote.tell("fork", id=name, boot=boot(platform, name, **options))
    forked = zygote.wait("forked", count + 1)
    assert forked["id"] == name
    process.pid = forked["pid"]
    return child


def ready(platform: Platform, child: Instance) -> Dict[str, Any]:
    """Wait until a forked instance is ready."""
    platform.attached(child)
    return child.wait("ready")


def body(child: Instance) -> str:
    """What the instance answers."""
    with child.connect() as gateway:
        return gateway.get("/").body.decode()


def test_children_share_the_one_import_of_the_app(platform: Platform) -> None:
    zygote = start_zygote(platform)
    assert zygote.wait("preflight") == {
        "type": "preflight",
        "level": "app",
        "findings": [],
        "modules": zygote.wait("preflight")["modules"],
    }
    assert zygote.wait("ready")["interface"] == "asgi"
    one, two = (fork(platform, zygote, name) for name in ("one", "two"))
    phases = ready(platform, one)["phases"]
    assert "import" not in phases
    ready(platform, two)
    assert body(one) == f"{zygote.process.pid} {one.process.pid} one"
    assert body(two) == f"{zygote.process.pid} {two.process.pid} two"


SLOW_TO_FORK = """
import time
import headrace

@headrace.before_fork
def settle():
    time.sleep(2)
"""


def test_the_time_of_the_fork_is_not_counted_again_as_boot(platform: Platform) -> None:
    zygote = start_zygote(platform, SLOW_TO_FORK + APP)
    child = fork(platform, zygote, "one")
    assert zygote.wait("forked")["ms"] >= 2000
    assert ready(platform, child)["phases"]["boot"] < 2000


SLOW_HOOK = """
import time
import headrace

@headrace.after_fork
def connect():
    time.sleep(2)
"""


@pytest.mark.parametrize("level", ["app", "imports"])
def test_the_time_of_hooks_is_a_phase_of_its_own(platform: Platform, level: str) -> None:
    zygote = start_zygote(platform, SLOW_HOOK + APP, level)
    child = fork(platform, zygote, "one", preload=level)
    phases = ready(platform, child)["phases"]
    assert phases.pop("hooks") >= 2000
    assert sum(phases.values()) < 2000


def test_at_level_imports_each_child_imports_the_app_itself(platform: Platform) -> None:
    zygote = start_zygote(platform, "import colorsys\n" + APP, "imports")
    preflight = zygote.wait("preflight")
    assert "colorsys" in preflight["modules"]
    assert "app" not in preflight["modules"]
    child = fork(platform, zygote, "one", preload="imports")
    assert "import" in ready(platform, child)["phases"]
    assert body(child) == f"{child.process.pid} {child.process.pid} one"


def test_at_level_imports_an_app_that_is_broken_now_may_be_whole_later(platform: Platform) -> None:
    zygote = start_zygote(platform, "import colorsys\nraise RuntimeError('not yet')\n", "imports")
    assert "colorsys" in zygote.wait("preflight")["modules"]
    broken = fork(platform, zygote, "one", preload="imports")
    platform.attached(broken)
    assert "not yet" in broken.wait("failed")["traceback"]
    assert zygote.wait("exited")["status"] == 3
    platform.write("app.py", "import colorsys\n" + APP)
    whole = fork(platform, zygote, "two", preload="imports")
    ready(platform, whole)
    assert body(whole).endswith(" two")


def test_an_app_that_cannot_be_imported_fails_the_zygote(platform: Platform) -> None:
    failed = platform.fail("app.py", "import atexit\natexit.register(print, 'atexit ran')\n1 / 0\n", role="zygote", preload="app")
    assert failed["stage"] == "import"
    assert "ZeroDivisionError" in failed["traceback"]
    assert "atexit ran" not in platform.output()


def test_findings_are_reported_with_their_module(platform: Platform) -> None:
    platform.write(
        "reporter.py", "import threading, time\nthreading.Thread(target=time.sleep, args=(99,), daemon=True).start()\n"
    )
    preflight = start_zygote(platform, "import reporter\n" + APP).wait("preflight")
    assert preflight["level"] == "imports"
    assert [(each["kind"], each["module"]) for each in preflight["findings"]] == [("thread", "reporter")]


def test_the_end_of_a_child_is_reported(platform: Platform) -> None:
    zygote = start_zygote(platform)
    one = fork(platform, zygote, "one")
    ready(platform, one)
    os.kill(one.process.pid, signal.SIGKILL)
    assert zygote.wait("exited") == {
        "type": "exited",
        "id": "one",
        "pid": one.process.pid,
        "status": None,
        "signal": signal.SIGKILL,
    }
    two = fork(platform, zygote, "two")
    ready(platform, two)
    two.tell("stop", timeout_ms=10000)
    assert zygote.wait("exited", 2) == {
        "type": "exited",
        "id": "two",
        "pid": two.process.pid,
        "status": 0,
        "signal": None,
    }


def test_a_fork_that_cannot_be_done_is_a_message_not_the_end(platform: Platform) -> None:
    zygote = start_zygote(platform)
    zygote.tell("fork", id="bad", boot={"id": "bad"})
    failed = zygote.wait("failed")
    assert (failed["stage"], failed["id"], failed["code"]) == ("fork", "bad", "boot-invalid")
    zygote.tell("something-new", id="?")
    ready(platform, fork(platform, zygote, "good"))


def test_a_before_fork_hook_that_fails_is_told_with_its_traceback(platform: Platform) -> None:
    source = "import headrace\n@headrace.before_fork\ndef close_pool():\n    raise OSError('still busy')\n" + APP
    zygote = start_zygote(platform, source)
    zygote.tell("fork", id="one", boot=boot(platform, "one"))
    failed = zygote.wait("failed")
    assert failed["code"] == "hook-failed"
    assert "close_pool" in failed["message"]
    assert "still busy" in failed["traceback"]


def test_when_the_platform_is_gone_the_zygote_and_its_children_are_gone(platform: Platform) -> None:
    zygote = start_zygote(platform)
    child = fork(platform, zygote, "one")
    ready(platform, child)
    zygote.hang_up()
    assert zygote.join() == 0
    child.process.wait(DEADLINE)


def test_when_the_zygote_is_killed_its_children_die_with_it(platform: Platform) -> None:
    zygote = start_zygote(platform)
    child = fork(platform, zygote, "one")
    ready(platform, child)
    zygote.process.kill()
    child.process.wait(DEADLINE)


def test_exit_handlers_of_the_app_run_in_instances_only(platform: Platform) -> None:
    source = "import atexit, os\natexit.register(lambda: print('atexit in', os.getpid()))\n" + APP
    zygote = start_zygote(platform, source)
    child = fork(platform, zygote, "one")
    ready(platform, child)
    child.tell("stop", timeout_ms=10000)
    zygote.wait("exited")
    assert child.wait_log("atexit in", "stdout") == f"atexit in {child.process.pid}"
    zygote.hang_up()
    zygote.join()
    assert "atexit" not in platform.output()
