"""The worker as a process: entry, paths, signals, deaths, logs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import Any

import pytest
from harness import DEADLINE, ENTRY, HOME, Platform

HELLO = """
import asyncio, os, signal, subprocess, sys, logging
print("imported, partial", end="")
print(" line", flush=True)
logging.getLogger("shop").warning("by logging")

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    out = {
        "path": sys.path, "environ": sorted(key for key in os.environ if key.startswith("HEADRACE")),
        "shadow": [name for name in ("boot", "control", "logs", "asgi") if name in sys.modules],
        "int": subprocess.run([sys.executable, "-c", "import signal; print(signal.getsignal(signal.SIGINT), "
            "signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)"], stdout=subprocess.PIPE).stdout.decode().split(),
    }
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.write(write, str(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL).encode())
        os._exit(0)
    os.waitpid(child, 0)
    out["forked"] = os.read(read, 100).decode()
    os.close(read), os.close(write)
    import json
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": json.dumps(out).encode()})
"""


@pytest.mark.parametrize("entry", [[ENTRY], ["-m", "headrace.worker"]])
def test_paths_environment_and_signals_of_children(platform: Platform, entry: Any) -> None:
    environ = {"PYTHONPATH": HOME, "HEADRACE_OTHER": "1"} if "-m" in entry else {}
    if "-m" in entry:
        entry = [
            "-c",
            f"import sys; sys.path.insert(0, {HOME!r}); sys.argv = ['x']; "
            "import runpy; runpy.run_module('headrace.worker', run_name='__main__', alter_sys=True)",
        ]
    instance = platform.start("app.py", HELLO, entry=entry, environ=environ)
    with instance.connect() as gateway:
        out = gateway.get("/").json()
    assert os.path.realpath(out["path"][0]) == os.path.realpath(platform.folder)
    assert HOME in out["path"][-2:], "our own folders come last"
    assert not [path for path in out["path"] if path.endswith(("headrace", "worker"))]
    assert "HEADRACE_BOOT" not in out["environ"]
    assert {"HEADRACE_INSTANCE", "HEADRACE_SERVICE", "HEADRACE_REVISION"} <= set(out["environ"])
    assert out["shadow"] == []
    assert out["int"][-1] == "True" and "default_int_handler" in " ".join(out["int"])
    assert out["forked"] == "True"
    assert instance.stop() == 0


@pytest.mark.parametrize("loop", ["asyncio", "auto"])
def test_terminal_signals_do_not_end_an_instance(platform: Platform, loop: str) -> None:
    instance = platform.start("app.py", HELLO, loop=loop)
    with instance.connect() as gateway:
        gateway.get("/")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            instance.process.send_signal(number)
        assert gateway.get("/").status == 200
    assert instance.stop() == 0


def test_the_end_of_the_control_connection_ends_the_process(platform: Platform) -> None:
    instance = platform.start("app.py", HELLO)
    instance.hang_up()
    assert instance.join() == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PR_SET_PDEATHSIG is Linux's")
def test_the_death_of_the_parent_ends_the_process(platform: Platform) -> None:
    """Started by a middleman that is killed; the control connection alone is kept open by the test."""
    source = "import os\nopen('child', 'w').write(str(os.getpid()))\n" + HELLO
    middleman = f"import subprocess, sys; subprocess.Popen([sys.executable, {ENTRY!r}]); __import__('signal').pause()"
    instance = platform.spawn("app.py", source, entry=["-c", middleman])
    platform.attached(instance)
    instance.wait("ready")
    with open(os.path.join(platform.folder, "child"), encoding="ascii") as file:
        child = int(file.read())
    with instance.connect() as gateway:
        gateway.get("/")
        instance.process.kill()
        assert gateway.closed_by_worker()
    instance.ended()
    with pytest.raises(ProcessLookupError):
        while True:
            os.kill(child, 0)
            with open(f"/proc/{child}/stat", encoding="ascii") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    raise ProcessLookupError


def test_start_without_a_boot_object_or_with_a_wrong_one() -> None:
    environ = {key: value for key, value in os.environ.items() if key != "HEADRACE_BOOT"}
    for extra, word in (({}, "HEADRACE_BOOT"), ({"HEADRACE_BOOT": "{"}, "JSON"), ({"HEADRACE_BOOT": "{}"}, "id is missing")):
        out = subprocess.run(
            [sys.executable, ENTRY], env={**environ, **extra}, stderr=subprocess.PIPE, timeout=DEADLINE, check=False
        )
        assert out.returncode == 3
        assert word in out.stderr.decode() and "Traceback" not in out.stderr.decode()


def test_an_import_that_fails(platform: Platform) -> None:
    failed = platform.fail("app.py", "import nothing_of_this_name\n", logs=True)
    assert (failed["stage"], failed["code"]) == ("import", "app-import-failed")
    assert failed["traceback"].startswith("Traceback") and "headrace" not in failed["traceback"]


def test_a_loop_that_is_missing(platform: Platform) -> None:
    platform.write("uvloop.py", "raise ImportError('not here')\n")
    failed = platform.fail("app.py", HELLO, loop="uvloop")
    assert failed["code"] == "uvloop-missing"


def test_sockets_that_cannot_be_opened(platform: Platform) -> None:
    failed = platform.fail("app.py", HELLO, listen="/no/such/folder/x.sock")
    assert failed["code"] == "listen-failed"
    failed = platform.fail("app.py", HELLO, table={"path": "/no/such/table", "begun_offset": 0})
    assert failed["code"] == "table-unusable"
    failed = platform.fail("app.py", HELLO, app_dir="/no/such/folder")
    assert failed["code"] == "app-dir-missing"


def test_a_stale_socket_is_replaced(platform: Platform) -> None:
    path = os.path.join(platform.folder, "i1.sock")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    instance = platform.start("app.py", HELLO)
    assert os.stat(path).st_mode & 0o077 == 0, "the socket is the owner's only"
    with instance.connect() as gateway:
        assert gateway.get("/").status == 200
    assert instance.stop() == 0


def test_stacks_on_sigusr2(platform: Platform) -> None:
    source = "import time, os\n" + HELLO.replace("    out = {", "    if scope['path'] == '/stuck': time.sleep(600)\n    out = {")
    instance = platform.start("app.py", source, logs=True)
    gateway = instance.connect()
    gateway.request("GET", "/stuck")
    while not [line for line in instance.log() if " in app" in line]:
        instance.process.send_signal(signal.SIGUSR2)
        platform.wait_line(instance.id, "stderr", "most recent call first")
    gateway.close()


def test_atexit_runs_and_a_thread_that_hangs_does_not_keep_the_process(platform: Platform) -> None:
    source = "import atexit, sys\natexit.register(lambda: print('at exit', file=sys.stderr, flush=True))\n" + HELLO
    instance = platform.start("app.py", source, logs=True)
    assert instance.stop() == 0
    instance.wait_log("at exit")
    hang = "import threading\nthreading.Thread(target=threading.Event().wait).start()\n"
    instance = platform.start("app.py", hang + HELLO)
    assert instance.stop() == 0


# Logs


def test_stdout_and_stderr_become_lines(platform: Platform) -> None:
    instance = platform.start("app.py", HELLO, logs=True)
    assert platform.wait_line(instance.id, "stdout", "imported") == "imported, partial line"
    assert instance.wait_log("by logging") == "by logging"
    assert instance.stop() == 0


def test_lines_carry_the_request_id(platform: Platform) -> None:
    source = """
    import asyncio, logging, os, sys
    logging.basicConfig(stream=sys.stderr, format="%(message)s")
    print("at import", file=sys.stderr)
    order = [asyncio.Event(), asyncio.Event()] if sys.version_info >= (3, 10) else []

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            return
        print("one\\ntwo", file=sys.stderr)
        logging.error("from logging")
        await asyncio.get_running_loop().run_in_executor(None, print, "no context")
        await asyncio.create_task(task())
        sys.stderr.write("half")
        sys.stderr.flush()
        sys.stderr.write(" and half\\n")
        os.write(2, b"raw bytes\\n")
        sys.stderr.buffer.write(b"through buffer\\n")
        sys.stderr.buffer.flush()
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})

    async def task():
        print("in a task", file=sys.stderr)
    """
    instance = platform.start("app.py", source, logs=True)
    with instance.connect() as gateway:
        gateway.get("/", request_id="abc")
    instance.wait_log("through buffer")
    assert instance.log() == [
        "at import",
        "\x1eabc\x1fone",
        "\x1eabc\x1ftwo",
        "\x1eabc\x1ffrom logging",
        "\x1eabc\x1fin a task",
        "\x1eabc\x1fhalf and half",
        "raw bytes",
        "through buffer",
    ]
    assert platform.wait_line(instance.id, "stdout", "no context") == "no context"
    assert instance.stop() == 0
