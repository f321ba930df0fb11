"""The zygote: a process that has imported an app, or only its dependencies, and forks instances from it.

It has one thread. Between forks it waits for two things at once: the platform's messages and the end of a child.

    boot ──▶ import ──▶ preflight ──▶ ready ──fork──▶ ready ──control closed──▶ exit
               │                                └──▶ (in the child) an instance: main.run_instance
               └──▶ failed, exit 3

The garbage collector is off here, and what was imported is frozen before the first fork, so that the children share its pages.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import sys
import time
from contextlib import nullcontext
from types import FrameType
from typing import Any, Callable, ContextManager, Dict, List, NamedTuple, Optional, Tuple

from . import hooks, importer, logs, main, preflight
from .boot import Boot
from .control import Control, Message
from .errors import EXIT_FAILED, StartupError
from .phases import Phases
from .preflight import Finding, Recorder


class _Child(NamedTuple):
    """What a fork leaves in the child: who it is."""

    boot: Boot
    forked_at: float


class Prepared(NamedTuple):
    """What there is to fork from. loaded: the app, at level app; modules: what was imported from outside its tree."""

    loaded: Optional[importer.Loaded]
    findings: List[Finding]
    modules: List[str]


def run(boot: Boot) -> int:
    """Run a zygote to its end. Returns in the children only: an instance's exit status."""
    gc.disable()
    try:
        control = Control.connect(boot)
    except StartupError as error:
        print(f"headrace zygote: {error.message}", file=sys.stderr)
        return EXIT_FAILED
    control.on_eof = _leave
    main.die_with_parent()
    main.watch_signals()
    main.dump_stacks_on_signal()
    try:
        prepared = prepare(boot, [control.fileno()])
    except StartupError as error:
        control.failed(error)
        _leave(EXIT_FAILED)
    control.phases.lap("import")
    logs.flush()
    level = preflight.level(boot.preload, prepared.findings)
    # Only ASGI instances run this code; with WSGI it is not even imported.
    if level != "off" and "headrace.worker.asgi" in sys.modules and not (prepared.loaded and prepared.loaded.interface == "wsgi"):
        from .rehearsal import rehearse

        rehearse(boot)
    control.send(
        "preflight",
        level=level,
        findings=[finding._asdict() for finding in prepared.findings],
        modules=prepared.modules,
    )
    control.ready(prepared.loaded.interface if prepared.loaded else "", "none")
    child = _Server(control).serve()
    return _live(child, prepared.loaded)


def _leave(status: int = 0) -> Any:
    """End the zygote without running exit handlers: those of the app belong to its instances."""
    logs.flush()
    os._exit(status)


def _unwatched(_part: str) -> ContextManager[object]:
    return nullcontext()


def prepare(boot: Boot, own: List[int], watch: Callable[[str], ContextManager[object]] = _unwatched) -> Prepared:
    """Import what `boot.preload` says, and look at what that leaves behind. Raises StartupError.

    own: descriptors that are the worker's. watch: makes the context in which, at level app, the "app" and then what the
    "worker" needs for it are imported.
    """
    if boot.preload == "imports":
        modules, found = _discover(boot, own)
        # Patches have to come before what they patch is imported: nothing may be shared then.
        patches = [finding for finding in found if finding.kind == "patch"]
        if patches:
            return Prepared(None, patches, modules)
        blamed = {finding.module.split(".", 1)[0] for finding in found}
        with Recorder() as recorder:
            import_quietly([name for name in modules if name.split(".", 1)[0] not in blamed])
            import_quietly(companions(boot, "asgi" if "asyncio" in modules else "wsgi"))
            hooks.before_snapshot()
        return Prepared(None, preflight.inspect(recorder, own), modules)
    before = set(sys.modules)
    with Recorder() as recorder:
        with watch("app"):
            loaded = importer.load(boot)
        modules = preflight.dependencies(before)
        with watch("worker"):
            import_quietly(companions(boot, loaded.interface))
        hooks.before_snapshot()
    return Prepared(loaded, preflight.inspect(recorder, own), modules)


def companions(boot: Boot, interface: str) -> List[str]:
    """Modules that every instance would import a moment later, at its start or at its first request."""
    if interface == "function":
        return ["headrace.worker.function", "headrace.worker.asgi", "headrace.worker.wsgi"]
    if interface == "wsgi":
        return ["headrace.worker.wsgi"]
    names = ["headrace.worker.asgi", "concurrent.futures.thread"]
    if boot.loop != "asyncio":
        names.append("uvloop")
    if "anyio" in sys.modules:
        names += ["anyio._backends._asyncio", "anyio.to_thread"]
    return names


def import_quietly(names: List[str]) -> None:
    """Import modules one after the other. One that cannot be imported without the app is left to the instances."""
    for name in names:
        try:
            importlib.import_module(name)
        except (Exception, SystemExit):  # noqa: BLE001 - the module is not ours
            continue


def _discover(boot: Boot, own: List[int]) -> Tuple[List[str], List[Finding]]:
    """Import the app in a process that is thrown away. The modules from outside its tree, in their order, and what the import
    left behind.

    When the import fails, what it had loaded so far is still worth sharing: the instances report the failure.
    """
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(read)
            main.die_with_parent()
            _silence()
            # What it would leave in the cache could be taken for the app's next version, as in _live.
            sys.dont_write_bytecode = True
            report = json.dumps(_scratch(boot, own)).encode()
            with os.fdopen(write, "wb") as pipe:
                pipe.write(report)
            status = 0
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    try:
        modules, found = json.loads(text)
    except ValueError:
        return [], []
    return modules, [Finding(*finding) for finding in found]


def _scratch(boot: Boot, own: List[int]) -> Tuple[List[str], List[Finding]]:
    before = set(sys.modules)
    with Recorder() as recorder:
        try:
            importer.load(boot)
        except StartupError:
            pass
    return preflight.dependencies(before), preflight.inspect(recorder, own)


def _silence() -> None:
    """What the app prints while it is imported is seen when an instance imports it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _woken(number: int, frame: Optional[FrameType]) -> None:
    """A child ended. The signal's number in the wake-up pipe is what ends the wait."""


class _Server:
    """Forks on request and reports how children ended."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._children: Dict[int, str] = {}
        self._frozen = False
        self._wake, self._waker = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._waker, False)
        signal.signal(signal.SIGCHLD, _woken)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)

    def serve(self) -> _Child:
        """Serve until the platform closes the control connection, which ends the process. Returns in the children only."""
        poll = select.poll()
        poll.register(self._control.fileno(), select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            if self._wake in ready:
                self._drain_pipe()
                self._reap()
            if self._control.fileno() in ready:
                for message in self._control.receive() or []:
                    child = self._take(message)
                    if child is not None:
                        return child

    def _take(self, message: Message) -> Optional[_Child]:
        if message["type"] != "fork":
            return None
        ident = str(message.get("id", ""))
        try:
            boot = Boot.from_dict(message.get("boot"))
            return self._fork(ident, boot)
        except StartupError as error:
            self._fail(ident, error)
        except OSError as error:
            self._fail(ident, StartupError("fork", "fork-failed", f"No instance could be forked: {error.strerror}."))
        return None

    def _fork(self, ident: str, boot: Boot) -> Optional[_Child]:
        began = time.perf_counter()
        hooks.before_fork()
        logs.flush()
        if not self._frozen:
            gc.freeze()
            self._frozen = True
        zygote = os.getpid()
        pid = os.fork()
        if pid == 0:
            forked_at = time.perf_counter()  # what came before is the fork's, and the platform's to count
            self._become_child(zygote)
            return _Child(boot, forked_at)
        self._children[pid] = ident
        self._control.send("forked", id=ident, pid=pid, ms=round((time.perf_counter() - began) * 1000, 3))
        return None

    def _become_child(self, zygote: int) -> None:
        """Drop what is the zygote's. Raw closes only: a shutdown would reach the zygote's own connection."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        main.die_with_parent()
        if os.getppid() != zygote:
            os._exit(1)
        os.setpgid(0, 0)
        os.close(self._wake)
        os.close(self._waker)
        self._control.close()

    def _fail(self, ident: str, error: StartupError) -> None:
        self._control.send(
            "failed",
            id=ident,
            stage="fork",
            code=error.code,
            message=error.message,
            traceback=error.traceback(),
        )

    def _drain_pipe(self) -> None:
        try:
            while os.read(self._wake, 4096):
                pass
        except BlockingIOError:
            pass

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            ident = self._children.pop(pid, None)
            if ident is None:
                continue
            killed = os.WIFSIGNALED(status)
            self._control.send(
                "exited",
                id=ident,
                pid=pid,
                status=None if killed else os.WEXITSTATUS(status),
                signal=os.WTERMSIG(status) if killed else None,
            )


def _live(child: _Child, loaded: Optional[importer.Loaded]) -> int:
    """Be an instance, in a child that was just forked."""
    gc.enable()
    reseed()
    if loaded is None:
        # A file that is changed twice within a second must not be taken from the cache of its first version.
        sys.dont_write_bytecode = True
    phases = Phases(child.forked_at)
    try:
        if hooks.waiting(forked=True):
            # What they print is the instance's; in the zygote's pipe it would mix with that of the others.
            logs.redirect(child.boot)
            phases.lap("boot")
            hooks.in_instance(forked=True)
            phases.lap("hooks")
    except StartupError as error:
        try:
            Control.connect(child.boot).failed(error)
        except StartupError as unreachable:
            print(f"headrace worker: {unreachable.message}", file=sys.stderr)
        return EXIT_FAILED
    return main.run_instance(child.boot, loaded, phases)


def reseed() -> None:
    """Give random generators that do not notice a fork by themselves (the standard library's does) a state of their own."""
    random: Any = sys.modules.get("numpy.random")
    if random is not None:
        random.seed(int.from_bytes(os.urandom(4), "little"))
