"""Imports an app in a scratch process, as a zygote would, and reports what makes it slow to start or unsafe to fork.

Started like any worker, with the role "doctor" in its boot object and no control connection. It looks at one preload level,
writes one JSON object to stdout, and ends without running the app's exit handlers. What the app prints goes to stderr.
"""

from __future__ import annotations

import gc
import io
import json
import os
import platform
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple, Type

from . import gevent, logs, main, preflight, zygote
from .boot import Boot
from .errors import EXIT_FAILED, StartupError

_OWN_PACKAGE = __name__.split(".", 1)[0]
_STANDARD = "standard library"
_OWN = "the worker"
_HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class Node:
    """One import. ms: how long it took, with all imports inside it; memory: bytes of RSS that came with it, inside too."""

    __slots__ = ("children", "failed", "memory", "ms", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.ms = 0.0
        self.memory = 0
        self.failed = False
        self.children: List[Node] = []

    def own_ms(self) -> float:
        """Without the imports inside it."""
        return max(0.0, self.ms - sum(child.ms for child in self.children))

    def own_memory(self) -> int:
        """Without the imports inside it. Below zero where it gave memory back."""
        return self.memory - sum(child.memory for child in self.children)

    def walk(self) -> "Iterator[Node]":
        """This one and all inside it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def report(self) -> Dict[str, Any]:
        """As JSON, the longest child first."""
        children = sorted(self.children, key=lambda child: -child.ms)
        return {
            "name": self.name,
            "ms": round(self.ms, 3),
            "own_ms": round(self.own_ms(), 3),
            "memory": self.memory,
            "failed": self.failed,
            "children": [child.report() for child in children],
        }


class Trace:
    """Context manager that measures the imports of the main thread: those between `part`'s begin and end hang below it."""

    def __init__(self) -> None:
        self.parts: Dict[str, Node] = {}
        self._stack: List[Node] = []
        self._statm = _open_statm()
        self._machinery: Any = sys.modules["_frozen_importlib"]
        self._original: Any = None

    def __enter__(self) -> "Trace":
        self._original = self._machinery._find_and_load
        self._machinery._find_and_load = self._wrapper(self._original)
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], tb: Optional[TracebackType]) -> None:
        self._machinery._find_and_load = self._original
        if self._statm is not None:
            os.close(self._statm)
            self._statm = None

    def rss(self) -> int:
        """Resident bytes of this process; 0 where the system does not say."""
        if self._statm is None:
            return 0
        return int(os.pread(self._statm, 128, 0).split()[1]) * _PAGE

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Measure what is inside as one node, a root."""
        node = self.parts[name] = Node(name)
        self._stack.append(node)
        before, began = self.rss(), time.perf_counter()
        try:
            yield
        finally:
            node.ms = (time.perf_counter() - began) * 1000
            node.memory = self.rss() - before
            self._stack.pop()

    def _wrapper(self, original: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
        stack, rss, clock = self._stack, self.rss, time.perf_counter
        mine = threading.get_ident()

        def load(name: str, import_: Any) -> Any:
            if not stack or threading.get_ident() != mine:
                return original(name, import_)
            node = Node(name)
            stack[-1].children.append(node)
            stack.append(node)
            before, began = rss(), clock()
            node.failed = True
            try:
                module = original(name, import_)
                node.failed = False
                return module
            finally:
                node.ms = (clock() - began) * 1000
                node.memory = rss() - before
                stack.pop()

        # Python leaves the frames of its import machinery, known by this name, out of tracebacks; ours stands among them.
        code: Any = load.__code__
        load.__code__ = code.replace(co_filename="<frozen importlib._bootstrap>")
        return load


_PAGE = os.sysconf("SC_PAGE_SIZE")


def _open_statm() -> Optional[int]:
    try:
        return os.open("/proc/self/statm", os.O_RDONLY)
    except OSError:
        return None


def run(boot: Boot) -> int:
    """Look, report, end the process. Returns only where the report cannot be written."""
    out = os.dup(1)
    os.dup2(2, 1)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What an import that hangs has printed is to be seen.
        sys.stdout.reconfigure(line_buffering=True)
    main.die_with_parent()
    main.dump_stacks_on_signal()
    try:
        unpatched = gevent.patch(boot)
        if unpatched is not None:
            raise unpatched
        report = examine(boot, [out])
        status = 0
    except StartupError as error:
        report = {
            "failed": {
                "stage": error.stage,
                "code": error.code,
                "message": error.message,
                "traceback": error.traceback(),
            }
        }
        status = EXIT_FAILED
    logs.flush()
    try:
        with os.fdopen(out, "w", encoding="ascii") as file:
            json.dump(report, file)
    except OSError as error:
        print(f"headrace doctor: the report cannot be written: {error}", file=sys.stderr)
        return 1
    os._exit(status)


def examine(boot: Boot, own: List[int]) -> Dict[str, Any]:
    """Import at the level `boot.preload` ("app" or "imports") and say what that took and left behind. Raises StartupError.

    own: descriptors of this process that are not the app's.
    """
    gc.disable()
    if boot.preload != "app":
        prepared = zygote.prepare(replace(boot, preload="imports"), own)
        return {"level": preflight.level("imports", prepared.findings), "findings": _findings(prepared)}
    before = memory()
    with Trace() as trace:
        prepared = zygote.prepare(boot, own, trace.part)
    if boot.worker_class == "gevent":
        # Those patches were asked for.
        prepared = prepared._replace(findings=[finding for finding in prepared.findings if finding.kind != "patch"])
    after = memory()
    loaded = prepared.loaded
    root, worker = trace.parts["app"], trace.parts["worker"]
    return {
        "level": preflight.level("app", prepared.findings),
        "findings": _findings(prepared),
        "name": loaded.name if loaded else "",
        "interface": loaded.interface if loaded else "",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "modules": sum(not node.failed for node in root.walk()) - 1,
        "tree": root.report(),
        "worker": worker.report(),
        "packages": packages(root, worker, loaded.name if loaded else ""),
        "memory": {"before": before, "after": after},
        "fork_ms": None if prepared.findings or boot.worker_class == "gevent" else preflight.try_fork(),
    }


def _findings(prepared: zygote.Prepared) -> List[Dict[str, str]]:
    return [finding._asdict() for finding in prepared.findings]


def packages(root: Node, worker: Node, name: str) -> List[Dict[str, Any]]:
    """What each top-level package took by itself, the heaviest first. The standard library counts as one package, and so does
    the worker.

    name: `module:attr` of the app; what the root took by itself is its module's.
    """
    rows: Dict[Tuple[str, str], Dict[str, Any]] = {}

    def add(node: Node, group: Tuple[str, str]) -> None:
        row = rows.setdefault(group, {"name": group[0], "kind": group[1], "own_ms": 0.0, "modules": 0, "memory": 0})
        row["own_ms"] += node.own_ms()
        row["memory"] += node.own_memory()
        row["modules"] += not node.failed

    def visit(node: Node, group: Tuple[str, str]) -> None:
        add(node, group)
        for child in node.children:
            visit(child, _group(child.name) or group)

    visit(root, _group(name.partition(":")[0]) or (name, "app"))
    for child in worker.children:
        visit(child, _group(child.name) or (_OWN, "worker"))
    found = sorted(rows.values(), key=lambda row: -row["own_ms"])
    return [{**row, "own_ms": round(row["own_ms"], 3)} for row in found]


def _group(name: str) -> Optional[Tuple[str, str]]:
    """Name and kind ("app", "installed", "standard", "worker") of a module's package. None when that is not known."""
    top = name.split(".", 1)[0]
    module = sys.modules.get(top) or sys.modules.get(name)
    if module is None:
        return None
    origin = str(getattr(getattr(module, "__spec__", None), "origin", None))
    if top == _OWN_PACKAGE or origin.startswith(_HOME):
        return _OWN, "worker"
    if origin in ("built-in", "frozen") or preflight.is_standard(origin):
        return _STANDARD, "standard"
    # A namespace package has no file of its own, but folders.
    folders = [str(folder) for folder in getattr(module, "__path__", ())]
    installed = preflight.is_installed(module) or any(preflight.is_library(folder) for folder in folders)
    return top, "installed" if installed else "app"


def memory() -> Dict[str, Optional[int]]:
    """Bytes of this process: rss, pss (shared pages counted by their share), private (only here). None for what is not known."""
    sizes: Dict[str, int] = {}
    try:
        with open("/proc/self/smaps_rollup", encoding="ascii") as file:
            for line in file:
                key, _, value = line.partition(":")
                if value.endswith("kB\n"):
                    sizes[key] = int(value.split()[0]) * 1024
    except OSError:
        return {"rss": None, "pss": None, "private": None}
    private = sizes.get("Private_Clean", 0) + sizes.get("Private_Dirty", 0)
    return {"rss": sizes.get("Rss"), "pss": sizes.get("Pss"), "private": private}
