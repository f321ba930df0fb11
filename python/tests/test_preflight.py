"""What the preflight finds after an import, each case in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, Dict, List

import pytest
from harness import HOME

from headrace.worker import preflight
from headrace.worker.preflight import Finding

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads and sockets are read from /proc")

PROBE = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
sys.path.insert(0, sys.argv[2])
from headrace.worker import preflight
before = set(sys.modules)
with preflight.Recorder() as recorder:
    import culprit
findings = preflight.inspect(recorder, [])
print(json.dumps({"findings": [f._asdict() for f in findings], "modules": preflight.dependencies(before)}), flush=True)
os._exit(0)
"""


def probe(folder: Path, source: str, **files: str) -> Dict[str, Any]:
    """Import a module `culprit` with this source in a new process; what the preflight says."""
    for name, text in {"culprit": source, **files}.items():
        path = folder / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    command = [sys.executable, "-c", PROBE, HOME, str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60)
    result: Dict[str, Any] = json.loads(done.stdout)
    return result


def test_a_plain_module_leaves_nothing(tmp_path: Path) -> None:
    assert probe(tmp_path, "import json, decimal, asyncio, socket\n")["findings"] == []


def test_a_thread_is_found_with_the_module_that_started_it(tmp_path: Path) -> None:
    found = probe(
        tmp_path,
        "import reporter\n",
        reporter="import threading, time\nthreading.Thread(target=time.sleep, args=(99,), name='flusher', daemon=True).start()\n",
    )["findings"]
    assert found == [{"kind": "thread", "module": "reporter", "detail": "the Python thread flusher runs"}]


def test_a_thread_started_through_the_standard_library_is_blamed_on_its_user(tmp_path: Path) -> None:
    found = probe(
        tmp_path,
        """
        import time
        from concurrent.futures import ThreadPoolExecutor
        pool = ThreadPoolExecutor(1)
        pool.submit(time.sleep, 99)
        """,
    )["findings"]
    assert [(each["kind"], each["module"]) for each in found] == [("thread", "culprit")]


def test_a_thread_that_has_ended_is_no_matter(tmp_path: Path) -> None:
    source = "import threading\nt = threading.Thread(target=int)\nt.start()\nt.join()\n"
    assert probe(tmp_path, source)["findings"] == []


@linux
def test_a_thread_that_python_does_not_list_is_found(tmp_path: Path) -> None:
    found = probe(tmp_path, "import _thread, time\n_thread.start_new_thread(time.sleep, (99,))\n")["findings"]
    assert [each["kind"] for each in found] == ["thread"]
    assert "native thread" in found[0]["detail"]


@linux
def test_an_open_socket_is_found_with_its_module_and_address(tmp_path: Path) -> None:
    found = probe(tmp_path, "import net\n", net="import socket\nkeep = socket.create_server(('127.0.0.1', 0))\n")["findings"]
    assert [(each["kind"], each["module"]) for each in found] == [("socket", "net")]
    assert "bound to 127.0.0.1:" in found[0]["detail"]


@linux
def test_a_connection_is_found_with_its_peer(tmp_path: Path) -> None:
    source = """
        import socket
        server = socket.create_server(("127.0.0.1", 0))
        keep = socket.create_connection(server.getsockname())
        other, _ = server.accept()
    """
    found = probe(tmp_path, source)["findings"]
    assert any("connected to 127.0.0.1:" in each["detail"] for each in found)


@linux
def test_a_socket_that_was_closed_again_is_no_matter(tmp_path: Path) -> None:
    source = "import socket\ns = socket.socket()\ns.close()\na, b = socket.socketpair()\na.close()\nb.close()\n"
    assert probe(tmp_path, source)["findings"] == []


def test_an_open_event_loop_is_found_once_with_its_module(tmp_path: Path) -> None:
    found = probe(tmp_path, "import loops\n", loops="import asyncio\nkeep = asyncio.new_event_loop()\n")["findings"]
    assert [(each["kind"], each["module"]) for each in found] == [("loop", "loops")]


@linux
@pytest.mark.parametrize(
    ("made", "module"), [("selectors.EpollSelector()", "polls"), ("select.epoll()", "")], ids=["selector", "bare"]
)
def test_an_open_epoll_object_is_found(tmp_path: Path, made: str, module: str) -> None:
    found = probe(tmp_path, "import polls\n", polls=f"import select, selectors\nkeep = {made}\n")["findings"]
    assert [(each["kind"], each["module"]) for each in found] == [("epoll", module)]


def test_an_event_loop_that_was_closed_is_no_matter(tmp_path: Path) -> None:
    source = "import asyncio\nasync def main(): pass\nasyncio.run(main())\n"
    assert probe(tmp_path, source)["findings"] == []


@pytest.mark.skipif(importlib.util.find_spec("uvloop") is None, reason="uvloop is not installed")
def test_an_open_uvloop_is_found(tmp_path: Path) -> None:
    found = probe(tmp_path, "import uvloop\nkeep = uvloop.new_event_loop()\n")["findings"]
    assert "loop" in [each["kind"] for each in found]


@pytest.mark.skipif(importlib.util.find_spec("gevent") is None, reason="gevent is not installed")
def test_a_patched_standard_library_is_found(tmp_path: Path) -> None:
    found = probe(tmp_path, "from gevent import monkey\nmonkey.patch_all()\n")["findings"]
    assert "patch" in [each["kind"] for each in found]
    assert preflight.level("app", [Finding(**each) for each in found]) == "off"


def test_objects_that_answer_every_question_with_an_error_are_left_alone(tmp_path: Path) -> None:
    source = """
        import asyncio
        class Lazy:
            @property
            def __class__(self):
                raise RuntimeError("not set up yet")
            def __getattr__(self, name):
                raise RuntimeError("not set up yet")
        keep = [Lazy() for _ in range(10)]
    """
    assert probe(tmp_path, source)["findings"] == []


def test_dependencies_are_what_lies_outside_the_apps_own_tree(tmp_path: Path) -> None:
    modules: List[str] = probe(
        tmp_path,
        "import sys\nsys.path.append(sys.argv[2] + '/lib/site-packages')\nimport colorsys, helper, installed.part\n",
        helper="import wave\n",
        **{"lib__site-packages__installed____init__": "", "lib__site-packages__installed__part": ""},
    )["modules"]
    assert "colorsys" in modules
    assert "wave" in modules
    assert "culprit" not in modules
    assert "helper" not in modules
    assert not any(name.startswith("headrace") for name in modules)


@pytest.mark.parametrize(
    "wanted, kinds, holds",
    [
        ("app", [], "app"),
        ("imports", [], "imports"),
        ("app", ["thread"], "imports"),
        ("app", ["socket", "loop", "grpc", "cuda"], "imports"),
        ("app", ["thread", "patch"], "off"),
        ("imports", ["thread"], "off"),
    ],
)
def test_the_level_that_holds(wanted: str, kinds: List[str], holds: str) -> None:
    assert preflight.level(wanted, [Finding(kind, "", "") for kind in kinds]) == holds


def test_a_recorder_leaves_nothing_patched() -> None:
    import socket
    import threading

    before = (threading.Thread.start, socket.socket.__init__)
    with preflight.Recorder():
        assert threading.Thread.start is not before[0]
    assert (threading.Thread.start, socket.socket.__init__) == before


@linux
def test_trying_a_fork_leaves_no_process_behind() -> None:
    preflight.try_fork()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
