"""The frames: golden vectors, pieces, limits, and many thousands of damaged inputs."""

from __future__ import annotations

import json
import os
import random
from typing import Any, Dict, List

import pytest
from harness import HOME

from headrace.worker import frames as f
from headrace.worker.scope import Root
from headrace.worker.scopes import ScopeBuilder

GOLDEN = os.path.join(os.path.dirname(HOME), "src", "protocol", "golden", "frames.json")
with open(GOLDEN, encoding="utf-8") as file:
    VECTORS: List[Dict[str, Any]] = json.load(file)["vectors"]
TO_WORKER = [vector for vector in VECTORS if vector["direction"] == "to-worker"]
TO_GATEWAY = [vector for vector in VECTORS if vector["direction"] == "to-gateway" and "frame" in vector]


class FakeConnection:
    credit = window = 65536


def flag_bits(names: List[str]) -> int:
    return sum(getattr(f, f"FLAG_{name}") for name in names)


def decode(raw: bytes) -> Dict[str, Any]:
    """One frame, decoded as far as the worker does before it looks at the stream's state."""
    (kind, flags, stream, payload), *more = f.Decoder().feed(raw)
    assert not more
    out: Dict[str, Any] = {"bits": flags, "stream": stream, "kind": kind}
    if kind == f.HELLO:
        out.update(f.parse_hello(payload)._asdict())
    elif kind == f.REQUEST:
        ScopeBuilder(Root(""), None).build(FakeConnection(), flags, stream, payload)  # type: ignore[arg-type]
        fields = [field.decode("latin-1") for field in payload.split(b"\0")]
        names = ("method", "target", "peers", "requestId", "timeout", "tls")
        out.update(zip(names, fields))
        out["headers"] = [list(pair) for pair in zip(fields[6::2], fields[7::2])]
    elif kind == f.CREDIT:
        out["amount"] = f.unpack_credit(payload)
    elif kind in (f.RESET, f.WS_CLOSE):
        out.update(code=f.unpack_u16(payload), reason=payload[2:].decode())
    elif kind in (f.PING, f.PONG):
        out["opaque"] = payload.hex()
    else:
        out["payload"] = payload.hex()
    return out


@pytest.mark.parametrize("vector", TO_WORKER, ids=[vector["name"] for vector in TO_WORKER])
def test_golden_vectors_to_the_worker(vector: Dict[str, Any]) -> None:
    raw = bytes.fromhex(vector["hex"])
    if "error" in vector:
        with pytest.raises(f.ProtocolError):
            decode(raw)
        return
    expected = dict(vector["frame"])
    expected["kind"] = getattr(f, expected.pop("type"))
    expected["bits"] = flag_bits(expected.pop("flags"))
    assert decode(raw) == expected


def encode(frame: Dict[str, Any]) -> bytes:
    kind, flags, stream = frame["type"], flag_bits(frame["flags"]), frame["stream"]
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in frame.get("headers", ())]
    if kind == "HELLO":
        return f.hello(frame["window"], frame["column"], frame["gateway"])
    if kind == "CREDIT":
        return f.credit(stream, frame["amount"])
    if kind == "RESET":
        return f.reset(stream, frame["code"], frame["reason"], flags)
    if kind == "WS_CLOSE":
        return f.close(stream, frame["code"], frame["reason"], flags)
    if kind == "WS_ACCEPT":
        block = f.join_pairs(headers)
        name = frame["subprotocol"].encode()
        payload = name + b"\0" + block if block else name
    elif "status" in frame:
        payload = frame["status"].to_bytes(2, "big") + f.join_pairs(headers)
    elif kind == "TRAILERS":
        payload = f.join_pairs(headers)
    else:
        payload = bytes.fromhex(frame.get("payload") or frame.get("opaque") or frame.get("path") or "")
    return f.frame(getattr(f, kind), flags, stream, payload)


@pytest.mark.parametrize("vector", TO_GATEWAY, ids=[vector["name"] for vector in TO_GATEWAY])
def test_golden_vectors_to_the_gateway(vector: Dict[str, Any]) -> None:
    assert encode(vector["frame"]).hex() == bytes.fromhex(vector["hex"]).hex()


def valid_stream() -> bytes:
    return b"".join(bytes.fromhex(vector["hex"]) for vector in TO_WORKER if "frame" in vector)


def test_frames_do_not_depend_on_how_the_bytes_are_cut() -> None:
    raw = valid_stream() + f.frame(f.DATA, 0, 5, b"x" * 200_000) + f.frame(f.PING, 0, 0, b"12345678")
    whole = f.Decoder().feed(raw)
    assert len(whole) > 20
    rng = random.Random(11)
    for step in (1, 7, 9, 10, 11, 65536, 0, 0, 0):
        decoder, frames, at = f.Decoder(), [], 0
        while at < len(raw):
            size = step or rng.randrange(1, 30_000)
            frames += decoder.feed(raw[at : at + size])
            at += size
        assert frames == whole


def test_an_error_names_the_offset() -> None:
    decoder = f.Decoder()
    good = f.frame(f.PING, 0, 0, b"12345678")
    decoder.feed(good + good[:5])
    with pytest.raises(f.ProtocolError, match=f"0xfe at byte {2 * len(good)}$"):
        decoder.feed(good[5:] + f.frame(0xFE, 0, 0))


def test_fuzz_mutated_streams_never_raise_anything_else() -> None:
    rng = random.Random(2)
    base = valid_stream()
    refused = 0
    for _ in range(20_000):
        raw = bytearray(base)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(raw))
            kind = rng.randrange(4)
            if kind == 0:
                raw[at] = rng.randrange(256)
            elif kind == 1:
                raw[at] ^= 1 << rng.randrange(8)
            elif kind == 2:
                del raw[at : at + rng.randrange(1, 20)]
            else:
                raw[at:at] = rng.getrandbits(8 * 8).to_bytes(8, "big")
        cut = rng.randrange(len(raw))
        decoder = f.Decoder()
        try:
            frames = decoder.feed(bytes(raw[:cut])) + decoder.feed(bytes(raw[cut:]))
        except f.ProtocolError:
            refused += 1
            continue
        for kind, flags, stream, payload in frames:
            assert kind in (1, 2, 4, 6, 7, 0x11, 0x12, 0x20, 0x21)
            assert len(payload) <= f.MAX_PAYLOAD and (stream == 0) == (kind in (1, 0x20, 0x21)) and flags < 64
    assert 1000 < refused < 20_000


def test_fuzz_random_bytes_are_refused() -> None:
    rng = random.Random(3)
    for _ in range(20_000):
        raw = rng.getrandbits(8 * 64).to_bytes(64, "big")
        decoder = f.Decoder()
        try:
            frames = decoder.feed(raw)
        except f.ProtocolError:
            continue
        assert len(frames) <= 6


def test_fuzz_request_payloads() -> None:
    rng = random.Random(4)
    builder = ScopeBuilder(Root(""), None)
    peers = b"127.0.0.1 1 127.0.0.1 2"
    good = b"\0".join((b"GET", b"/a%20b?c", peers, b"id", b"50", b"772 4865", b"host", b"a", b"sec-websocket-protocol", b"a, b"))
    built = 0
    for _ in range(20_000):
        raw = bytearray(good)
        for _ in range(rng.randrange(1, 5)):
            raw[rng.randrange(len(raw))] = rng.choice((0, 32, 37, 63, 128, 255, rng.randrange(256)))
        try:
            builder.build(FakeConnection(), rng.choice((1, 2, 8, 0x21)), 1, bytes(raw))  # type: ignore[arg-type]
            built += 1
        except f.ProtocolError:
            pass
    assert 1000 < built < 20_000


def test_reasons_are_cut_at_a_character() -> None:
    frame = f.close(1, 1000, "ä" * 100)
    assert frame[12:].decode() == "ä" * 61
    assert len(f.reset(1, 17, "x" * 5000)) == 10 + 2 + 1024
    f.reset(1, 17, "ä" * 1000)[12:].decode()
