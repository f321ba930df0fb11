"""Thousands of malformed frame sequences: each ends its connection with one line, or is harmless; nothing else happens."""

from __future__ import annotations

import random
import socket
import struct
from types import SimpleNamespace
from typing import Any, Iterable, List

import pytest

from headrace.worker import frames as f
from headrace.worker.wsgi_connection import Connection
from headrace.worker.wsgi_crew import Crew, Reports
from headrace.worker.wsgi_environ import EnvironMaker

ROUNDS = 6000
REQUEST = b"\0".join(
    [b"POST", b"/path?query", b"192.0.2.7 1 127.0.0.1 80", b"id", b"", b"", b"host", b"example", b"content-length", b"5"]
)


def app(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode("latin-1") or b"-"]


def sequence(rng: random.Random) -> bytes:
    """A mostly valid conversation, with some of its bytes, frames or fields spoiled."""
    stream = rng.choice([1] * 20 + [2, 7, 0, 1 << 31])
    frames: List[bytes] = [
        f.hello(rng.choice([0, 1, 65536, (1 << 32) - 1])),
        f.frame(f.REQUEST, rng.choice([0, f.FLAG_END, f.FLAG_EXPECT, 0] * 5 + [0x3F, 0x40]), stream, spoiled(rng, REQUEST)),
        f.frame(f.DATA, rng.choice([0, f.FLAG_END]), stream, bytes(rng.choice([0, 5, 5, 5, 2000]))),
        f.frame(f.CREDIT, 0, stream, struct.pack(">I", rng.choice([1, (1 << 31) - 1] * 10 + [0, (1 << 32) - 1]))),
        f.frame(f.RESET, 0, stream, b"\0\1gone"),
        f.frame(f.WS_MESSAGE, f.FLAG_TEXT, stream, b"text"),
        f.frame(f.WS_CLOSE, 0, stream, b"\3\xe8"),
        f.frame(f.PING, 0, 0, b"12345678"),
        f.frame(f.REQUEST, f.FLAG_END, stream + 1 & 0x7FFFFFFF, REQUEST),
    ]
    if rng.random() < 0.8:
        del frames[5]  # the WebSocket message
    if rng.random() < 0.5:
        first = frames.pop(0)
        rng.shuffle(frames)
        frames.insert(0, first)
    del frames[rng.randrange(1, len(frames) + 1) :]
    return spoiled(rng, b"".join(frames)) if rng.random() < 0.5 else b"".join(frames)


def spoiled(rng: random.Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice([0, 0, 1, 1, 3])):
        at = rng.randrange(len(out) or 1)
        choice = rng.randrange(4)
        if choice == 0:
            out[at : at + 1] = bytes([rng.randrange(256)])
        elif choice == 1:
            del out[at : at + rng.randrange(1, 9)]
        elif choice == 2:
            out[at:at] = rng.choice([b"\0", b"\0\0", b"\xff" * 4, b" ", b"%", b"\r\n"])
        else:
            out += bytes(rng.randrange(20))
    return bytes(out)


def test_malformed_frames(capsys: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(3333)
    marks: Any = SimpleNamespace(row=None)
    maker = EnvironMaker("", 1)
    crew = Crew(app, maker, marks, 8, Reports(idle=lambda: None, released=lambda gateway: None))
    refused = answered = 0
    for _ in range(ROUNDS):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            connection = Connection(theirs, crew, 1000, False)
            ours.sendall(sequence(rng))
            ours.shutdown(socket.SHUT_WR)
            exchanges = []
            while not connection.closed:
                exchanges += connection.read()
            for exchange in exchanges:
                exchange.run(app, maker)
                answered += 1
            assert not connection.streams
        lines = capsys.readouterr().err.splitlines()
        if lines:
            refused += 1
            assert len(lines) == 1 and "sent an invalid frame" in lines[0], lines
    assert refused > ROUNDS // 4
    assert answered > ROUNDS // 4
