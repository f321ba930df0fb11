"""What importing an app leaves behind that a fork would break: threads, sockets, event loops, epoll objects, CUDA, gRPC, patches.

Used by the zygote. A `Recorder` watches the import and notes which module starts threads and opens sockets; `inspect` then looks
at what is there and says which preload level holds, and whose doing it is when it is not the highest.
"""

from __future__ import annotations

import ctypes
import gc
import os
import selectors
import socket
import sys
import sysconfig
import threading
import time
from importlib import machinery
from types import FrameType, ModuleType, TracebackType
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Set, Tuple, Type

_OWN_PACKAGE = __name__.split(".", 1)[0]
_FORK_PATIENCE = 5.0
_LIBRARIES = ("site-packages", "dist-packages")


class Finding(NamedTuple):
    """One thing that a fork would break.

    kind: "thread", "socket", "loop", "epoll", "cuda", "grpc" or "patch". module: whose doing it is, "" when that is not known.
    detail: one phrase for people.
    """

    kind: str
    module: str
    detail: str


class Recorder:
    """Context manager around the import: notes which module starts Python threads, opens sockets (event loops open two) and makes
    selectors, and in which extension module's import native threads appear."""

    def __init__(self) -> None:
        self.threads: Dict[int, str] = {}
        self.sockets: Dict[int, str] = {}
        self.native: Dict[int, str] = {}
        self.epolls: Dict[int, str] = {}
        self._undo: List[Callable[[], None]] = []

    def __enter__(self) -> "Recorder":
        def started(thread: threading.Thread) -> None:
            self.threads[id(thread)] = caller()

        def opened(sock: socket.socket) -> None:
            self.sockets[sock.fileno()] = caller()

        self._after(threading.Thread, "start", started)

        def selects(selector: Any) -> None:
            self.epolls[selector.fileno()] = caller()

        self._after(socket.socket, "__init__", opened)
        if hasattr(selectors, "EpollSelector"):
            self._after(selectors.EpollSelector, "__init__", selects)
        for step in ("create_module", "exec_module"):
            self._native(step)
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], tb: Optional[TracebackType]) -> None:
        while self._undo:
            self._undo.pop()()

    def _after(self, owner: Any, name: str, note: Callable[[Any], None]) -> None:
        """Call `note(self)` after each call of a method."""
        original = getattr(owner, name)

        def wrapper(this: Any, *args: Any, **kwargs: Any) -> Any:
            result = original(this, *args, **kwargs)
            note(this)
            return result

        setattr(owner, name, wrapper)
        self._undo.append(lambda: setattr(owner, name, original))

    def _native(self, step: str) -> None:
        """Note the threads that appear while an extension module is loaded: it, or a library it pulls in, started them."""
        loader: Any = machinery.ExtensionFileLoader
        original = getattr(loader, step)

        def wrapper(this: Any, subject: Any) -> Any:
            before = native_threads()
            result = original(this, subject)
            for thread in native_threads() - before:
                self.native.setdefault(thread, this.name)
            return result

        setattr(loader, step, wrapper)
        self._undo.append(lambda: setattr(loader, step, original))


def inspect(recorder: Recorder, own_fds: Iterable[int]) -> List[Finding]:
    """Everything that is there now and would break in a fork.

    own_fds: descriptors of the zygote's own sockets.
    """
    found = _threads(recorder)
    loops, loop_fds = _loops(recorder)
    found += loops
    found += _descriptors(recorder, {*own_fds, *loop_fds})
    found += _cuda()
    found += _patches()
    return found


def level(wanted: str, findings: List[Finding]) -> str:
    """The preload level that holds: `wanted` without findings, else the next lower one ("imports" or "off")."""
    if not findings:
        return wanted
    return "imports" if wanted == "app" and all(finding.kind != "patch" for finding in findings) else "off"


def caller() -> str:
    """Name of the innermost module on the stack that belongs neither to the standard library nor to this package."""
    frame: Optional[FrameType] = sys._getframe(1)
    name = ""
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if name.split(".", 1)[0] != _OWN_PACKAGE and not is_standard(frame.f_code.co_filename):
            return name
        frame = frame.f_back
    return ""


_STANDARD = tuple(
    {os.path.realpath(path) + os.sep for path in (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")) if path}
)


def is_standard(filename: str) -> bool:
    """Whether a source file belongs to the standard library."""
    if filename.startswith("<frozen"):
        return True
    path = os.path.realpath(filename)
    return path.startswith(_STANDARD) and not is_library(path)


def dependencies(before: Set[str]) -> List[str]:
    """Names of the modules imported since `before` that lie outside the app's own tree, in the order of their import.

    Outside are the standard library and installed packages; everything else is the app's own, also when it is
    installed in editable form, and is imported anew by every fork.
    """
    names = []
    for name, module in list(sys.modules.items()):
        if name in before or name == "__main__" or name.split(".", 1)[0] == _OWN_PACKAGE:
            continue
        if isinstance(module, ModuleType) and is_installed(module):
            names.append(name)
    return names


def is_installed(module: ModuleType) -> bool:
    """Whether a module belongs to the standard library or to an installed package; else it is the app's own."""
    spec = getattr(module, "__spec__", None)
    origin = getattr(spec, "origin", None)
    if origin in ("built-in", "frozen"):
        return True
    if not isinstance(origin, str):
        return False
    return is_standard(origin) or is_library(origin)


def is_library(path: str) -> bool:
    """Whether a file or folder lies where packages are installed."""
    return any(part in _LIBRARIES for part in path.split(os.sep))


def native_threads() -> Set[int]:
    """Ids of all threads of this process as the kernel sees them, the main one left out. Empty where that is not known."""
    try:
        return {int(entry) for entry in os.listdir("/proc/self/task")} - {os.getpid()}
    except OSError:
        return set()


def _threads(recorder: Recorder) -> List[Finding]:
    found = []
    known = set()
    for thread in threading.enumerate():
        if thread is threading.main_thread():
            continue
        known.add(getattr(thread, "native_id", None))
        found.append(Finding("thread", recorder.threads.get(id(thread), ""), f"the Python thread {thread.name} runs"))
    strangers = native_threads() - known
    if "grpc._cython.cygrpc" in sys.modules and not strangers <= recorder.native.keys():
        # Importing gRPC starts no thread; using it does. It has fork handlers of its own, which are known to deadlock.
        names = sorted({_thread_name(ident) for ident in strangers})
        return [*found, Finding("grpc", "grpc", f"gRPC is in use (threads: {', '.join(names)})")]
    if strangers and not found:
        # Some libraries (OpenBLAS) end their threads by themselves before a fork and start them again after it.
        try_fork()
        strangers = native_threads() - known
    for ident in sorted(strangers):
        module = recorder.native.get(ident, "")
        found.append(Finding("thread", module, f"the native thread {_thread_name(ident)} runs"))
    return found


def _thread_name(ident: int) -> str:
    try:
        with open(f"/proc/self/task/{ident}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "that has ended"


def try_fork() -> float:
    """Fork a process that ends at once, at the C level: what libraries do around a fork happens, Python's hooks do not.

    Milliseconds that the fork took.
    """
    libc = ctypes.PyDLL(None)
    began = time.perf_counter()
    pid = libc.fork()
    if pid == 0:
        libc._exit(0)
    took = (time.perf_counter() - began) * 1000
    if pid < 0:
        return took
    deadline = time.monotonic() + _FORK_PATIENCE
    while os.waitpid(pid, os.WNOHANG)[0] == 0:
        if time.monotonic() > deadline:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            break
        time.sleep(0.0005)
    return took


def _loops(recorder: Recorder) -> Tuple[List[Finding], Set[int]]:
    """Event loops that are open, and the descriptors of their selectors and wake-up sockets."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return [], set()
    found = []
    fds = set()
    for thing in gc.get_objects():
        # type() and not isinstance(): lazy proxies answer the latter with work, or with an exception.
        if not issubclass(type(thing), asyncio.AbstractEventLoop) or not _is_open(thing):
            continue
        module = ""
        for end in ("_ssock", "_csock", "_selector"):
            try:
                fd = getattr(thing, end).fileno()
            except (AttributeError, ValueError, OSError):
                continue
            fds.add(fd)
            module = module or recorder.sockets.get(fd, "")
        state = "runs" if thing.is_running() else "is open"
        found.append(Finding("loop", module, f"the event loop {type(thing).__name__} {state}"))
    return found, fds


def _is_open(loop: Any) -> bool:
    try:
        return not loop.is_closed()
    except Exception:  # noqa: BLE001 - a loop whose __init__ failed, or one of a library with its own idea
        return False


def _descriptors(recorder: Recorder, ignored: Set[int]) -> List[Finding]:
    found = []
    try:
        fds = sorted(int(name) for name in os.listdir("/proc/self/fd"))
    except OSError:
        return []
    for fd in fds:
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue
        if target.startswith("/dev/nvidia"):
            found.append(Finding("cuda", "", f"the device {target} is open"))
        elif target == "anon_inode:[eventpoll]" and fd not in ignored:
            found.append(Finding("epoll", recorder.epolls.get(fd, ""), "an epoll object is open"))
        elif target.startswith("socket:") and fd > 2 and fd not in ignored:
            found.append(Finding("socket", recorder.sockets.get(fd, ""), f"a socket is open: {_address(fd)}"))
    return found


def _address(fd: int) -> str:
    try:
        with socket.socket(fileno=os.dup(fd)) as sock:
            try:
                return f"connected to {_text(sock.getpeername())}"
            except OSError:
                return f"bound to {_text(sock.getsockname())}"
    except OSError:
        return "of a kind of its own"


def _text(address: Any) -> str:
    if isinstance(address, tuple) and len(address) >= 2:
        return f"{address[0]}:{address[1]}"
    return repr(address) if address else "a Unix socket without a name"


def _cuda() -> List[Finding]:
    torch: Any = sys.modules.get("torch.cuda")
    try:
        if torch is not None and torch.is_initialized():
            return [Finding("cuda", "torch.cuda", "CUDA is initialised")]
    except Exception:  # noqa: BLE001 - whatever this version of torch makes of the question
        pass
    return []


def _patches() -> List[Finding]:
    monkey: Any = sys.modules.get("gevent.monkey")
    if monkey is not None and getattr(monkey, "saved", None):
        return [Finding("patch", "gevent.monkey", "the standard library is patched for gevent")]
    return []
