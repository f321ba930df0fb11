"""WSGI: exceptions, disconnects, flow control and slots."""

from __future__ import annotations

from typing import Iterator

import pytest
from harness import Gateway, Instance, Platform
from wsgi_items import APP, closed

from headrace.worker import frames as f


@pytest.fixture(scope="module")
def instance(shared: Platform) -> Instance:
    return shared.start("app.py:app", APP, interface="wsgi", concurrency=8, logs=True, table=True)


@pytest.fixture
def gateway(instance: Instance) -> Iterator[Gateway]:
    with instance.connect() as one:
        yield one


# exceptions and disconnects


@pytest.mark.parametrize("name", ["ValueError", "SystemExit", "KeyboardInterrupt", "StopIteration", "GreenletExit"])
def test_raise(instance: Instance, gateway: Gateway, name: str) -> None:
    answer = gateway.get(f"/raise?{name}")
    assert (answer.status, answer.body) == (500, b"Internal Server Error\n")
    instance.wait_log(f"{name}: planned")
    assert gateway.get("/").status == 200


def test_raise_in_the_middle(instance: Instance, gateway: Gateway) -> None:
    answer = gateway.get("/raise/mid")
    assert (answer.status, answer.body, answer.reset) == (200, b"some", f.RESET_APP_ERROR)
    assert not any(frame.end for frame in answer.frames)
    assert closed(gateway).count("raise_mid") == 1
    instance.wait_log("planned in the middle")


def test_raise_in_close(instance: Instance, gateway: Gateway) -> None:
    answer = gateway.get("/raise/close")
    assert (answer.status, answer.body, answer.reset) == (200, b"ok", None)
    assert closed(gateway).count("raise_close") == 1
    instance.wait_log("planned in close")


def test_disconnect_while_iterating(gateway: Gateway) -> None:
    stream = gateway.request("GET", "/forever")
    stream.expect(f.RESPONSE)
    assert stream.expect(f.DATA).payload == b"x"
    stream.reset()
    stream.expect_done()
    seen = closed(gateway)
    assert seen.count("forever") == 1
    assert "never reached" not in seen


def test_disconnect_while_writing(gateway: Gateway) -> None:
    stream = gateway.request("GET", "/flood")
    stream.expect(f.RESPONSE)
    stream.expect(f.DATA)
    stream.reset(f.RESET_DEADLINE)
    while not stream.next().done:
        pass
    assert "write raised ClientDisconnected" in closed(gateway)


def test_disconnect_while_reading(gateway: Gateway) -> None:
    stream = gateway.request("POST", "/starved", body=None, flags=f.FLAG_EXPECT)
    stream.expect(f.CREDIT)
    stream.data(b"abc")
    stream.reset()
    stream.expect_done()
    assert "read raised ClientDisconnected" in closed(gateway)


def test_connection_lost(instance: Instance) -> None:
    released = sum(message["type"] == "released" for message in instance.messages)
    with instance.connect(gateway=77) as gateway:
        stream = gateway.request("GET", "/flood")
        stream.expect(f.RESPONSE)
    message = instance.wait("released", released + 1)
    while message["gateway"] != 77:
        released += 1
        message = instance.wait("released", released + 1)
    with instance.connect() as other:
        assert other.get("/").status == 200


# flow control and slots


def test_output_waits_for_credit(instance: Instance) -> None:
    with instance.connect(window=1000) as gateway:
        stream = gateway.request("GET", "/big")
        assert stream.expect(f.RESPONSE).status == 200
        frame = stream.expect(f.DATA)
        assert len(frame.payload) == 1000
        assert gateway.get("/").body == b"hello"  # others go on
        assert not gateway._frames.get(stream.number)
        stream.credit(50)
        assert len(stream.expect(f.DATA).payload) == 50
        stream.credit(5_000_000)
        rest = stream.answer(grant=False)
        body = frame.payload + b"?" * 50 + rest.body
        assert len(body) == 3_000_000
        assert rest.body[-250:] == bytes(range(250))
        assert rest.frames[-2].end


def test_concurrency(gateway: Gateway) -> None:
    streams = [gateway.request("GET", "/together") for _ in range(8)]
    assert [stream.answer().body for stream in streams] == [b"together"] * 8


def test_marks(instance: Instance, shared: Platform) -> None:
    with instance.connect(column=5) as gateway:
        for _ in range(3):
            gateway.get("/")
        assert shared.mark(5) == 3
        held = gateway.request("GET", "/steps?marks")
        held.expect(f.RESPONSE)
        assert shared.mark(5) == 4
        for _ in range(3):
            gateway.get("/step?marks")
        held.answer()


def test_context_is_per_request(gateway: Gateway) -> None:
    assert [gateway.get("/context").body for _ in range(3)] == [b"0"] * 3


def test_logs_carry_the_request(instance: Instance, gateway: Gateway) -> None:
    gateway.get("/log", request_id="request-77")
    assert instance.wait_log("noted by errors") == "\x1erequest-77\x1fnoted by errors \u20ac"
    assert instance.wait_log("more lines") == "\x1erequest-77\x1fmore lines"
    assert instance.wait_log("noted by print", "stdout") == "\x1erequest-77\x1fnoted by print"
