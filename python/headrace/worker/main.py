"""The life of a worker process, from its boot object to its exit status."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Optional

from . import gevent, hooks, importer, logs
from .boot import VARIABLE, Boot
from .control import Control
from .errors import EXIT_FAILED, StartupError
from .phases import Phases

phases = Phases(time.perf_counter() - time.process_time())
"""Of a spawned process, from the start of the interpreter: the processor time used so far was for that and our imports."""
_PR_SET_PDEATHSIG = 1
_EXIT_GRACE = 5.0
_STACK_MOST = 8 << 20
_THREADS_MOST = 128


def main() -> int:
    """Entry of a spawned process: an instance, or a zygote. The exit status."""
    text = os.environ.pop(VARIABLE, "")
    try:
        if not text:
            raise StartupError("boot", "boot-missing", f"{VARIABLE} is not set: workers are started by headrace run.")
        boot = Boot.from_json(text)
    except StartupError as error:
        print(f"headrace worker: {error.message}", file=sys.stderr)
        return EXIT_FAILED
    if boot.role == "zygote":
        from . import zygote

        return zygote.run(boot)
    if boot.role == "doctor":
        from . import doctor

        return doctor.run(boot)
    return run_instance(boot)


def run_instance(boot: Boot, loaded: Optional[importer.Loaded] = None, counted: Phases = phases) -> int:
    """Run one instance to its end and return the exit status: 0, or 3 when it could not start.

    loaded: the app, in a process forked from a zygote that has imported it already. counted: the phases of its start so far.
    """
    unpatched = gevent.patch(boot)
    try:
        control = Control.connect(boot)
    except StartupError as error:
        print(f"headrace worker: {error.message}", file=sys.stderr)
        return EXIT_FAILED
    control.phases = counted
    try:
        if unpatched is not None:
            raise unpatched
        die_with_parent()
        watch_signals()
        logs.redirect(boot)
        dump_stacks_on_signal()
        environment(boot)
        limit_memory(boot)
        control.phases.lap("boot")
        status = _serve(boot, control, loaded)
    except StartupError as error:
        control.failed(error)
        status = EXIT_FAILED
    logs.flush()
    _exit_in_time(status)
    return status


def _serve(boot: Boot, control: Control, loaded: Optional[importer.Loaded]) -> int:
    if loaded is None:
        loaded = importer.load(boot)
        control.phases.lap("import")
        if hooks.waiting(forked=False):
            hooks.in_instance(forked=False)
            control.phases.lap("hooks")
    control.interface = loaded.interface
    if loaded.interface == "function":
        from . import function

        loaded = function.adapt(loaded, boot)
    if loaded.interface == "asgi":
        from . import asgi

        return asgi.run(loaded.app, boot, control)
    from . import wsgi

    return wsgi.run(loaded.app, boot, control)


def environment(boot: Boot) -> None:
    """Tell the app which instance it runs in."""
    os.environ["HEADRACE_INSTANCE"] = boot.id
    os.environ["HEADRACE_SERVICE"] = boot.service
    os.environ["HEADRACE_REVISION"] = boot.revision


def limit_memory(boot: Boot) -> None:
    """Hold this process to its memory where no control group does.

    RLIMIT_DATA counts what is reserved, not what is used, stacks of threads included: those are allowed for on top, so this is a
    coarse and last measure. The platform replaces instances that use too much long before.
    """
    if not boot.memory_rlimit:
        return
    import resource

    stack = resource.getrlimit(resource.RLIMIT_STACK)[0]
    if not 0 < stack < _STACK_MOST:
        stack = _STACK_MOST
    most = boot.memory_rlimit + min(boot.concurrency, _THREADS_MOST) * stack
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent (platform or zygote) ends, however that ends. Linux only."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # the parent ended before the request took hold; had it ended earlier, control would be at its end


def _ignore(number: int, frame: Optional[FrameType]) -> None:
    """The platform decides when an instance stops; a terminal's Ctrl-C reaches the whole process group."""


def _restore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is _ignore:
            default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, default)


def watch_signals() -> None:
    """Ignore SIGINT and SIGTERM here, but not in processes that the app starts.

    A handler that does nothing, where SIG_IGN would be inherited through exec; forked children get the defaults back.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _ignore)
        signal.siginterrupt(number, False)
    os.register_at_fork(after_in_child=_restore_signals)


def dump_stacks_on_signal() -> None:
    """Write all threads' stacks to stderr on SIGUSR2, also while the interpreter is stuck."""
    faulthandler.register(signal.SIGUSR2, file=2, all_threads=True, chain=False)


def _exit_in_time(status: int) -> None:
    """Let the interpreter shut down as usual (atexit, non-daemon threads), but end the process when that hangs."""

    def end() -> None:
        os._exit(status)

    timer = threading.Timer(_EXIT_GRACE, end)
    timer.daemon = True
    timer.start()
