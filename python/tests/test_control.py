"""The control connection."""

from __future__ import annotations

import json
import os
import socket
import threading
from typing import Any, Dict, Iterator, List, Tuple

import pytest

from headrace.worker.boot import Boot
from headrace.worker.control import Control
from headrace.worker.errors import StartupError


@pytest.fixture
def ends() -> Iterator[Tuple[Control, socket.socket]]:
    near, far = socket.socketpair()
    control = Control(near)
    yield control, far
    control.close()
    far.close()


def lines(sock: socket.socket, count: int) -> List[Dict[str, Any]]:
    data = b""
    while data.count(b"\n") < count:
        data += sock.recv(65536)
    return [json.loads(line) for line in data.splitlines()]


def test_hello_comes_first(tmp_path: Any) -> None:
    path = str(tmp_path / "control")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        control = Control.connect(Boot(id="i1", token="t", control=path, listen="/l"))
        far, _ = listener.accept()
        with far:
            (hello,) = lines(far, 1)
        assert hello == {"type": "hello", "id": "i1", "token": "t", "pid": os.getpid(), "role": "instance"}
        control.close()


def test_nobody_there(tmp_path: Any) -> None:
    with pytest.raises(StartupError) as caught:
        Control.connect(Boot(id="i1", token="t", control=str(tmp_path / "none"), listen="/l"))
    assert caught.value.code == "control-unreachable"


def test_messages_are_cut_by_lines_and_bad_ones_skipped(ends: Tuple[Control, socket.socket]) -> None:
    control, far = ends
    far.sendall(b'{"type":"dr')
    far.sendall(b'ain"}\nnot json\n[1]\n{"no":"type"}\n{"type":5}\n\xff\n{"type":"stop","timeout_ms":5,"more":1}\n{"type"')
    got: List[Dict[str, Any]] = []
    while len(got) < 2:
        got += control.receive() or []
    assert [message["type"] for message in got] == ["drain", "stop"]
    far.sendall(b':"sta')
    assert control.receive() == [], "half a line does not block"
    far.sendall(b'ts"}\n')
    assert control.receive() == [{"type": "stats"}]


def test_end_of_file(ends: Tuple[Control, socket.socket]) -> None:
    control, far = ends
    told = []
    control.on_eof = lambda: told.append(True)
    far.close()
    assert control.receive() is None and control.receive() is None
    assert told == [True]
    control.send("stats", streams=1)


def test_send_from_many_threads(ends: Tuple[Control, socket.socket]) -> None:
    control, far = ends

    def send(n: int) -> None:
        for _ in range(50):
            control.send("stats", n=n, text="ü\n" * 100)

    threads = [threading.Thread(target=send, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    got = lines(far, 400)
    for thread in threads:
        thread.join()
    assert len(got) == 400 and all(message["text"] == "ü\n" * 100 for message in got)


def test_failed_carries_the_cause(ends: Tuple[Control, socket.socket]) -> None:
    control, far = ends
    try:
        try:
            raise ValueError("inner")
        except ValueError as cause:
            raise StartupError("import", "some-code", "A sentence.") from cause
    except StartupError as error:
        control.failed(error)
    (failed,) = lines(far, 1)
    assert (failed["stage"], failed["code"], failed["message"]) == ("import", "some-code", "A sentence.")
    assert failed["traceback"].endswith("ValueError: inner\n")
