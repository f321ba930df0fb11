"""Hooks around a fork: the SDK's, and those of uwsgidecorators and snapshot_restore_py, installed or not."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import Any, List

import pytest
from harness import DEADLINE, ENTRY, HOME, Instance, Platform
from test_zygote import body, fork, ready, start_zygote

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="zygotes are for Linux")

APP = """
import os
made_in = os.getpid()
seen = []
def note(word):
    seen.append(word if os.getpid() == made_in else word + " forked")
async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": ", ".join(seen).encode()})
"""

UWSGI = """
import uwsgidecorators
from uwsgidecorators import postfork
@postfork
def connect():
    note("postfork")
assert connect.__name__ == "connect"
"""

SNAPSTART = """
from snapshot_restore_py import register_after_restore, register_before_snapshot
@register_before_snapshot
def first_registered():
    note("before 1")
register_before_snapshot(note, "before 2")
@register_after_restore
def restored():
    note("after 1")
register_after_restore(note, word="after 2")
"""

SDK = """
import headrace
headrace.before_fork(lambda: note("before fork"))
@headrace.after_fork
def connect():
    note("after fork")
"""

INSTALLED = """
_before, _after = [], []
installed = True
def register_before_snapshot(func, *args, **kwargs):
    _before.append((func, args, kwargs))
    return func
def register_after_restore(func, *args, **kwargs):
    _after.append((func, args, kwargs))
    return func
def get_before_snapshot():
    return _before
def get_after_restore():
    return _after
"""


def forked(platform: Platform, source: str, names: "List[str]", level: str = "app", **zygotes: Any) -> List[str]:
    """What children of one zygote answer."""
    zygote = start_zygote(platform, source, level, **zygotes)
    bodies = []
    for name in names:
        child = fork(platform, zygote, name, preload=level)
        ready(platform, child)
        bodies.append(body(child))
    return bodies


def spawned(platform: Platform, source: str) -> str:
    """What an instance that was not forked answers."""
    instance: Instance = platform.start("app.py", source)
    return body(instance)


@linux
def test_postfork_of_uwsgi_runs_once_in_each_forked_instance(platform: Platform) -> None:
    assert forked(platform, APP + UWSGI, ["one", "two"]) == ["postfork forked", "postfork forked"]


def test_postfork_of_uwsgi_runs_also_where_nothing_is_forked(platform: Platform) -> None:
    assert spawned(platform, APP + UWSGI) == "postfork"


def test_a_postfork_for_a_numbered_worker_is_refused(platform: Platform) -> None:
    failed = platform.fail("app.py", APP + "from uwsgidecorators import postfork\n@postfork(2)\ndef only():\n    pass\n")
    assert failed["code"] == "app-import-failed"
    assert "leave the number out" in failed["message"]


@linux
def test_snapstart_hooks_run_before_the_first_fork_and_in_each_instance(platform: Platform) -> None:
    expected = "before 2, before 1, after 1 forked, after 2 forked"
    assert forked(platform, APP + SNAPSTART, ["one", "two"]) == [expected, expected]


def test_snapstart_hooks_do_not_run_where_nothing_is_forked(platform: Platform) -> None:
    assert spawned(platform, APP + SNAPSTART) == ""


@linux
def test_what_a_before_snapshot_hook_closes_is_no_finding(platform: Platform) -> None:
    source = """
import socket
from snapshot_restore_py import register_before_snapshot
connection = socket.create_server(("127.0.0.1", 0))
register_before_snapshot(connection.close)
"""
    zygote = start_zygote(platform, APP + source)
    assert zygote.wait("preflight")["findings"] == []


@linux
def test_an_installed_package_wins_and_its_hooks_run(platform: Platform) -> None:
    platform.write("snapshot_restore_py.py", INSTALLED)
    source = APP + "import snapshot_restore_py\nassert snapshot_restore_py.installed\n" + SNAPSTART
    expected = "before 2, before 1, after 1 forked, after 2 forked"
    assert forked(platform, source, ["one", "two"]) == [expected, expected]


def test_the_stand_ins_are_last_on_the_path(platform: Platform) -> None:
    platform.write("uwsgidecorators.py", "postfork = 'the one beside the app'\n")
    source = APP + "from uwsgidecorators import postfork\nnote(postfork)\n"
    assert spawned(platform, source) == "the one beside the app"


@linux
def test_hooks_of_the_sdk_run_around_the_fork(platform: Platform) -> None:
    one, two = forked(platform, APP + SDK, ["one", "two"])
    assert one == "before fork, after fork forked"
    assert two == "before fork, before fork, after fork forked"


def test_after_fork_runs_where_the_instance_imported_the_app_itself(platform: Platform) -> None:
    assert spawned(platform, APP + SDK) == "after fork"


@linux
def test_at_level_imports_hooks_of_libraries_and_of_the_app_run_once(platform: Platform) -> None:
    library = "import headrace\nran = []\nheadrace.after_fork(lambda: ran.append('library'))\n"
    folder = os.path.dirname(platform.write("lib/site-packages/pooled.py", library))
    code = f"import runpy, sys; sys.path.append({folder!r}); runpy.run_path({ENTRY!r}, run_name='__main__')"
    source = "import pooled\nseen.append(' '.join(pooled.ran))\n"
    (answer,) = forked(platform, APP + source + SDK, ["one"], "imports", entry=["-c", code])
    assert answer == "library, after fork"


def test_an_after_fork_hook_that_fails_in_a_spawned_instance_fails_its_start(platform: Platform) -> None:
    failed = platform.fail(
        "app.py", APP + "import headrace\n@headrace.after_fork\ndef connect():\n    raise OSError('no database')\n"
    )
    assert failed["code"] == "hook-failed"
    assert "connect" in failed["message"]
    assert "no database" in failed["traceback"]


def test_an_async_hook_is_refused_where_it_is_registered(platform: Platform) -> None:
    failed = platform.fail("app.py", APP + "import headrace\n@headrace.after_fork\nasync def connect():\n    pass\n")
    assert failed["code"] == "app-import-failed"
    assert "connect is an async def" in failed["message"]
    assert "@headrace.after_fork" in failed["traceback"]


def test_a_hook_that_gives_something_to_be_awaited_fails(platform: Platform) -> None:
    source = "import headrace\nasync def connect():\n    pass\nheadrace.after_fork(lambda: connect())\n"
    failed = platform.fail("app.py", APP + source)
    assert failed["code"] == "hook-failed"
    assert "there is no event loop yet" in failed["message"]


def test_without_headrace_around_registering_does_nothing() -> None:
    code = f"""
import sys
sys.path.insert(0, {HOME!r})
import headrace
@headrace.after_fork
def hook():
    print("ran")
hook()
"""
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, check=True, text=True, timeout=DEADLINE
    )
    assert out.stdout == "ran\n"
