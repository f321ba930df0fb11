"""What the doctor says of an app, each in a scratch process as `headrace doctor` starts it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple

import pytest
from harness import DEADLINE, ENTRY, HOME

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads, sockets and memory are read from /proc")

APP = """
async def app(scope, receive, send):
    pass
"""


INSTALLED = """
import os, sys
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib", "site-packages"))
"""


class Run(NamedTuple):
    """One doctor's end."""

    report: Dict[str, Any]
    status: int
    stderr: str


def run(folder: Path, source: str, level: str = "app", files: "Dict[str, str]" = {}, **boot: Any) -> Run:  # noqa: B006
    """Write an app and have it examined."""
    for name, text in {"app.py": source, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    whole = {
        "id": "doctor",
        "role": "doctor",
        "app": "app.py",
        "app_dir": str(folder),
        "preload": level,
        "loop": "asyncio",
        **boot,
    }
    environ = {**os.environ, "HEADRACE_BOOT": json.dumps(whole)}
    environ.pop("PYTHONPATH", None)
    done = subprocess.run([sys.executable, ENTRY], env=environ, cwd=folder, capture_output=True, timeout=2 * DEADLINE)
    return Run(json.loads(done.stdout), done.returncode, done.stderr.decode())


def nodes(tree: Dict[str, Any]) -> "Iterator[Dict[str, Any]]":
    """All of a tree."""
    yield tree
    for child in tree["children"]:
        yield from nodes(child)


def node(report: Dict[str, Any], name: str) -> Dict[str, Any]:
    """The one node of this name."""
    (found,) = [each for each in nodes(report["tree"]) if each["name"] == name]
    return found


def names(tree: Dict[str, Any]) -> List[str]:
    """The names of a node's children."""
    return [child["name"] for child in tree["children"]]


def test_imports_are_a_tree_with_own_and_cumulative_times(tmp_path: Path) -> None:
    files = {
        "quick.py": "",
        "outer.py": "import quick, inner\n",
        "inner.py": "import time\ntime.sleep(0.05)\n",
    }
    report = run(tmp_path, "import quick_too, outer\n" + APP, files={**files, "quick_too.py": ""}).report
    assert names(report["tree"])[0] == "outer"
    assert names(node(report, "outer")) == ["inner", "quick"]
    assert node(report, "inner")["own_ms"] >= 50
    assert node(report, "outer")["ms"] >= node(report, "inner")["ms"]
    for each in nodes(report["tree"]):
        inside = sum(child["ms"] for child in each["children"])
        assert each["ms"] == pytest.approx(each["own_ms"] + inside, abs=0.01)
    times = [row["own_ms"] for row in report["packages"]]
    assert times == sorted(times, reverse=True)
    (inner,) = [row for row in report["packages"] if row["name"] == "inner"]
    assert (inner["kind"], inner["modules"], inner["own_ms"] >= 50) == ("app", 1, True)
    assert report["modules"] == sum(not each["failed"] for each in nodes(report["tree"])) - 1


def test_a_module_is_one_node_where_it_was_imported_first(tmp_path: Path) -> None:
    files = {"shop/__init__.py": "", "shop/models.py": "import decimal\n", "shop/views.py": "from . import models\n"}
    source = "import importlib\nimport shop.views\nimport shop.models\nimportlib.import_module('colorsys')\n" + APP
    report = run(tmp_path, source, files=files).report
    assert sorted(names(node(report, "shop.views"))) == ["shop", "shop.models"]
    assert names(node(report, "shop.models")) == ["decimal"]
    node(report, "colorsys")
    kinds = {row["name"]: row["kind"] for row in report["packages"]}
    assert kinds["shop"] == kinds["app"] == "app"
    assert kinds["standard library"] == "standard"
    assert "decimal" not in kinds


def test_packages_of_one_namespace_are_one_row(tmp_path: Path) -> None:
    files = {"lib/site-packages/space/one.py": "", "lib/site-packages/space/two/__init__.py": ""}
    report = run(tmp_path, INSTALLED + "import space.one, space.two\n" + APP, files=files).report
    assert [(row["name"], row["kind"], row["modules"]) for row in report["packages"] if row["name"] == "space"] == [
        ("space", "installed", 3)
    ]


def test_an_optional_module_that_is_missing_is_marked(tmp_path: Path) -> None:
    files = {"broken.py": "import colorsys\nraise ImportError('no')\n"}
    source = "for name in ('not_there', 'broken'):\n    try:\n        __import__(name)\n    except ImportError:\n        pass\n"
    report = run(tmp_path, source + APP, files=files).report
    assert node(report, "not_there")["failed"]
    assert node(report, "broken")["failed"]
    assert not node(report, "colorsys")["failed"]
    assert node(report, "broken")["children"] == [node(report, "colorsys")]


def test_imports_in_other_threads_do_not_mix_in(tmp_path: Path) -> None:
    slow = """
        import threading
        def other():
            import colorsys
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    """
    report = run(tmp_path, "import slow\nimport colorsys\n" + APP, files={"slow.py": slow}).report
    assert names(node(report, "slow")) == []


@linux
def test_memory_is_attributed_to_the_module_that_took_it(tmp_path: Path) -> None:
    size = 32 << 20
    most = 0.9 * size  # the kernel counts a little behind
    files = {"hungry.py": f"keep = bytearray(b'x' * {size})\n", "other.py": "import hungry\n"}
    report = run(tmp_path, "import other\n" + APP, files=files).report
    assert node(report, "hungry")["memory"] >= most
    assert node(report, "other")["memory"] >= most
    rows = {row["name"]: row for row in report["packages"]}
    assert rows["hungry"]["memory"] >= most
    assert rows["other"]["memory"] < most
    before, after = report["memory"]["before"], report["memory"]["after"]
    assert after["rss"] - before["rss"] >= most
    assert after["rss"] >= after["pss"] >= after["private"] >= most


def test_an_app_that_is_safe_is_at_level_app(tmp_path: Path) -> None:
    done = run(tmp_path, "import asyncio, json\n" + APP)
    report = done.report
    assert (done.status, report["level"], report["findings"], report["interface"]) == (0, "app", [], "asgi")
    assert report["name"] == "app:app"
    assert report["python"].endswith(sys.version.split()[0])
    assert report["fork_ms"] > 0
    assert "headrace.worker.asgi" in names(report["worker"])
    assert "headrace.worker.asgi" not in [each["name"] for each in nodes(report["tree"])]


@linux
def test_what_a_fork_would_break_is_named_with_its_module_and_peer(tmp_path: Path) -> None:
    with open(os.path.join(HOME, os.pardir, "test", "apps", "unsafe.py"), encoding="utf-8") as file:
        unsafe = file.read()
    report = run(tmp_path, unsafe).report
    assert report["level"] == "imports"
    assert report["fork_ms"] is None
    found = [(each["kind"], each["module"]) for each in report["findings"]]
    assert found == [("thread", "app"), ("loop", "app"), ("socket", "app"), ("socket", "app")]
    details = "; ".join(each["detail"] for each in report["findings"])
    for word in ("metrics-flusher", "bound to 127.0.0.1:", "connected to 127.0.0.1:"):
        assert word in details
    assert run(tmp_path, unsafe, "imports").report == {"level": "imports", "findings": []}


@pytest.mark.skipif(importlib.util.find_spec("gevent") is None, reason="gevent is not installed")
def test_patches_that_were_asked_for_are_no_finding(tmp_path: Path) -> None:
    source = "import socket\nassert socket.socket.__module__ != 'socket'\ndef app(environ, start_response):\n    return []\n"
    report = run(tmp_path, source, worker_class="gevent").report
    assert (report["findings"], report["fork_ms"], report["interface"]) == ([], None, "wsgi")


@linux
def test_at_level_imports_it_looks_at_what_the_app_imports(tmp_path: Path) -> None:
    library = "import threading\nhold = threading.Event()\nthreading.Thread(target=hold.wait, daemon=True).start()\n"
    source = INSTALLED + "import noisy\n"
    files = {"lib/site-packages/noisy.py": library}
    report = run(tmp_path, source + APP, "app", files).report
    assert (report["level"], [each["module"] for each in report["findings"]]) == ("imports", ["noisy"])
    # What starts the thread is left to the instances.
    assert run(tmp_path, source + APP, "imports", files).report == {"level": "imports", "findings": []}


def test_a_failed_import_comes_with_the_users_frames_alone(tmp_path: Path) -> None:
    files = {"shop/__init__.py": "import shop.models\n", "shop/models.py": "1 / 0\n"}
    done = run(tmp_path, "import shop.views\n", files=files)
    failed = done.report["failed"]
    assert (done.status, failed["stage"], failed["code"]) == (3, "import", "app-import-failed")
    files_named = [line.strip() for line in failed["traceback"].splitlines() if line.strip().startswith("File ")]
    assert [line.split('"')[1] for line in files_named] == [
        str(tmp_path / "app.py"),
        str(tmp_path / "shop" / "__init__.py"),
        str(tmp_path / "shop" / "models.py"),
    ]
    assert "ZeroDivisionError" in failed["traceback"]


def test_an_app_that_is_not_there_is_told_by_its_code(tmp_path: Path) -> None:
    done = run(tmp_path, APP, app="app.py:missing")
    assert (done.status, done.report["failed"]["code"]) == (3, "attribute-not-found")


def test_what_the_app_prints_goes_to_stderr_and_its_exit_handlers_do_not_run(tmp_path: Path) -> None:
    source = """
        import atexit, os, subprocess, sys
        print("hello")
        os.write(1, b"raw\\n")
        subprocess.run([sys.executable, "-c", "print('child')"], check=True)
        atexit.register(print, "atexit ran")
    """
    done = run(tmp_path, textwrap.dedent(source) + APP)
    assert done.status == 0
    assert sorted(done.stderr.split()) == ["child", "hello", "raw"]


def test_the_import_machinery_is_as_it_was_afterwards(tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {HOME!r})
from headrace.worker.doctor import Trace
machinery = sys.modules["_frozen_importlib"]
before = machinery._find_and_load
with Trace() as trace, trace.part("app"):
    assert machinery._find_and_load is not before
    import colorsys
assert machinery._find_and_load is before
import wave
print([child.name for child in trace.parts["app"].children])
"""
    out = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=True, text=True, timeout=DEADLINE)
    assert out.stdout == "['colorsys']\n"
