"""A small platform and gateway to drive real worker processes in tests.

    with Platform() as platform:                       # control socket, log socket, shared table, in a temporary folder
        instance = platform.start("app.py", APP_SOURCE, concurrency=2)      # writes the file, spawns, waits for `ready`
        gateway = instance.connect()                                        # a data connection, HELLO exchanged
        answer = gateway.get("/path?x=1", [("accept", "*/*")])              # one request to its end, with DONE
        assert (answer.status, answer.body) == (200, b"hello")

        stream = gateway.request("POST", "/", body=None)                    # step by step: frames by hand
        stream.data(b"abc", end=True)
        frame = stream.expect(RESPONSE)

Everything that waits has a deadline (DEADLINE seconds) and raises TimeoutError with what it was waiting for.
Nothing sleeps. Standard library only, so it runs on every CPython that the worker supports.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from typing import Any, Dict, List, Optional, Tuple

from gateway_end import CLIENT, DEADLINE, HERE, HOME, WINDOW, Answer, Frame, Gateway, Headers, Stream

__all__ = [
    "CLIENT",
    "DEADLINE",
    "HERE",
    "HOME",
    "WINDOW",
    "Answer",
    "Frame",
    "Gateway",
    "Headers",
    "Instance",
    "Platform",
    "Stream",
]

ENTRY = os.path.join(HOME, "headrace", "worker", "__main__.py")


class Instance:
    """One worker process, with its control connection. messages: all that came over control so far."""

    def __init__(self, platform: "Platform", process: "subprocess.Popen[bytes]", name: str, listen: str) -> None:
        self.platform = platform
        self.process = process
        self.id = name
        self.listen = listen
        self.messages: List[Dict[str, Any]] = []
        self._control: Optional[socket.socket] = None
        self._changed = threading.Condition()
        self._eof = False

    def attach(self, control: socket.socket, hello: Dict[str, Any], rest: bytes) -> None:
        """Called by the platform when this instance has said hello."""
        with self._changed:
            self.messages.append(hello)
            self._control = control
            self._changed.notify_all()
        threading.Thread(target=self._listen, args=(control, rest), daemon=True).start()

    def _listen(self, control: socket.socket, rest: bytes) -> None:
        while True:
            *lines, rest = rest.split(b"\n")
            with self._changed:
                self.messages.extend(json.loads(line) for line in lines)
                self._changed.notify_all()
            try:
                data = control.recv(65536)
            except OSError:
                data = b""
            if not data:
                break
            rest += data
        control.close()
        with self._changed:
            self._eof = True
            self._changed.notify_all()

    def ended(self) -> None:
        """Wait until all that came over control is read."""
        with self._changed:
            if self._control is not None:
                self._changed.wait_for(lambda: self._eof, DEADLINE)

    def wait(self, kind: str, count: int = 1) -> Dict[str, Any]:
        """The `count`-th message of this type, waiting for it."""

        def found() -> List[Dict[str, Any]]:
            return [message for message in self.messages if message["type"] == kind]

        with self._changed:
            if not self._changed.wait_for(lambda: len(found()) >= count or self._eof, DEADLINE):
                raise TimeoutError(f"no {kind} within {DEADLINE} s; got {self.messages}")
            if len(found()) < count:
                raise EOFError(f"the process ended without {kind}; got {self.messages}, {self.platform.output()}")
            return found()[count - 1]

    def tell(self, kind: str, **keys: Any) -> None:
        """Send a control message."""
        assert self._control is not None
        self._control.sendall(json.dumps({"type": kind, **keys}).encode() + b"\n")

    def hang_up(self) -> None:
        """End the control connection, as the platform's death would."""
        assert self._control is not None
        self._control.shutdown(socket.SHUT_RDWR)

    def connect(self, **options: Any) -> Gateway:
        """A new data connection, HELLO exchanged."""
        return Gateway(self.listen, **options)

    def stop(self, timeout_ms: int = 10000) -> int:
        """Ask for stop and wait for the exit status."""
        self.tell("stop", timeout_ms=timeout_ms)
        return self.join()

    def join(self) -> int:
        """Wait for the end of the process."""
        return self.process.wait(DEADLINE)

    def log(self, stream: str = "stderr") -> List[str]:
        """Log lines so far (only with logs=True)."""
        return self.platform.lines(self.id, stream)

    def wait_log(self, text: str, stream: str = "stderr", count: int = 1) -> str:
        """The `count`-th log line that holds `text`, waiting for it."""
        return self.platform.wait_line(self.id, stream, text, count)


class Platform:
    """What the supervisor is to workers. folder: temporary, app files are written into it."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="hr-")
        self.control_path = os.path.join(self.folder, "control")
        self.logs_path = os.path.join(self.folder, "logs")
        self.table_path = os.path.join(self.folder, "table")
        with open(self.table_path, "wb") as table:
            table.write(bytes(8192))
        self.instances: Dict[str, Instance] = {}
        self._count = 0
        self._threads: List[threading.Thread] = []
        self._lock = threading.Condition()
        self._lines: Dict[Tuple[str, str], List[str]] = {}
        self._output = open(os.path.join(self.folder, "output"), "w+b")  # noqa: SIM115 (closed by `close`)
        self._listeners = [self._serve(self.control_path, self._control), self._serve(self.logs_path, self._log)]

    def __enter__(self) -> "Platform":
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """End every process that was started, and remove the folder."""
        for listener in self._listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for instance in self.instances.values():
            if instance.process.poll() is None:
                instance.process.kill()
            instance.process.wait()
            instance.ended()
        for thread in self._threads:
            thread.join(DEADLINE)
        self._output.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def write(self, name: str, source: str) -> str:
        """Write an app's file, dedented. Its path."""
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(source))
        return path

    def spawn(self, app: str, source: Optional[str] = None, **options: Any) -> Instance:
        """Start a worker without waiting. Options: keys of the boot object, and

        logs=True: through the log socket (else into a file, see `output`); table=True: with begun marks in this platform's table;
        python: the interpreter; environ: further variables; entry: command line after the interpreter.
        """
        if source is not None:
            self.write(app.partition(":")[0], source)
        self._count += 1
        name = options.pop("id", f"i{self._count}")
        listen = os.path.join(self.folder, f"{name}.sock")
        boot: Dict[str, Any] = {
            "id": name,
            "role": "instance",
            "token": "secret",
            "control": self.control_path,
            "service": "shop",
            "revision": "shop-1",
            "listen": listen,
            "logs": self.logs_path if options.pop("logs", False) else None,
            "app": app,
            "app_dir": self.folder,
            "window": WINDOW,
            "loop": "asyncio",
            "table": None,
        }
        if options.get("table") is True:
            options["table"] = {"path": self.table_path, "begun_offset": 4096}
        environ = {**os.environ, **options.pop("environ", {})}
        environ.pop("PYTHONPATH", None)
        python = options.pop("python", sys.executable)
        entry = options.pop("entry", [ENTRY])
        boot.update(options)
        environ["HEADRACE_BOOT"] = json.dumps(boot)
        process = subprocess.Popen([python, *entry], env=environ, cwd=self.folder, stdout=self._output, stderr=self._output)
        instance = Instance(self, process, name, listen)
        with self._lock:
            self.instances[name] = instance
            self._lock.notify_all()
        return instance

    def start(self, app: str, source: Optional[str] = None, **options: Any) -> Instance:
        """As `spawn`, and wait for ready."""
        instance = self.spawn(app, source, **options)
        instance.platform.attached(instance)
        instance.wait("ready")
        return instance

    def attached(self, instance: Instance) -> None:
        """Wait until the instance has said hello."""
        deadline = time.monotonic() + DEADLINE
        with self._lock:
            while not instance.messages:
                # A process that failed at once may be gone before its hello was read.
                ended = instance.process.poll() is not None
                said = self._lock.wait_for(lambda: bool(instance.messages), 5 if ended else 0.1)
                if not said and (ended or time.monotonic() > deadline):
                    raise EOFError(f"the worker said no hello: {self.output()}")

    def fail(self, app: str, source: Optional[str] = None, **options: Any) -> Dict[str, Any]:
        """Start a worker that must not become ready. Its `failed` message; asserts exit status 3."""
        instance = self.spawn(app, source, **options)
        self.attached(instance)
        failed = instance.wait("failed")
        assert instance.join() == 3, self.output()
        return failed

    def output(self) -> str:
        """What the workers without log socket have written to stdout and stderr."""
        with open(os.path.join(self.folder, "output"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def mark(self, column: int = 0) -> int:
        """The begun mark of a gateway column."""
        with open(self.table_path, "rb") as table:
            table.seek(4096 + 4 * column)
            return int.from_bytes(table.read(4), sys.byteorder)

    def lines(self, name: str, stream: str) -> List[str]:
        """Log lines of an instance so far."""
        with self._lock:
            return list(self._lines.get((name, stream), ()))

    def wait_line(self, name: str, stream: str, text: str, count: int = 1) -> str:
        """The `count`-th log line of an instance that holds `text`."""

        def found() -> List[str]:
            return [line for line in self._lines.get((name, stream), ()) if text in line]

        with self._lock:
            if not self._lock.wait_for(lambda: len(found()) >= count, DEADLINE):
                raise TimeoutError(f"no log line with {text!r}; got {self._lines}")
            return found()[count - 1]

    def _thread(self, target: Any, *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self, path: str, handle: Any) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        listener.listen(64)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                self._thread(handle, connection)

        self._thread(accept)
        return listener

    def _control(self, connection: socket.socket) -> None:
        line, rest = _first_line(connection)
        hello = json.loads(line)
        with self._lock:
            self._lock.wait_for(lambda: hello["id"] in self.instances, DEADLINE)
            self.instances[hello["id"]].attach(connection, hello, rest)
            self._lock.notify_all()

    def _log(self, connection: socket.socket) -> None:
        with connection:
            self._log_lines(connection)

    def _log_lines(self, connection: socket.socket) -> None:
        line, rest = _first_line(connection)
        head = json.loads(line)
        assert head["token"] == "secret"
        key = (head["id"], head["stream"])
        while True:
            *lines, rest = rest.split(b"\n")
            with self._lock:
                self._lines.setdefault(key, []).extend(line.decode("utf-8", "replace") for line in lines)
                self._lock.notify_all()
            try:
                data = connection.recv(65536)
            except OSError:
                return
            if not data:
                return
            rest += data


def _first_line(connection: socket.socket) -> Tuple[bytes, bytes]:
    data = b""
    while b"\n" not in data:
        more = connection.recv(65536)
        if not more:
            raise EOFError("no first line")
        data += more
    line, _, rest = data.partition(b"\n")
    return line, rest


def readable(sock: socket.socket, seconds: float) -> bool:
    """Whether something can be read within `seconds` (only to show that nothing comes)."""
    return bool(select.select([sock], [], [], seconds)[0])
