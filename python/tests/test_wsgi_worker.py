"""The WSGI worker as the platform and the gateways see it: drain, stop, stats, bad frames, slow and quick apps, files."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any, Iterator

import pytest
from harness import Gateway, Instance, Platform

from headrace.worker import frames as f

APP = """
import threading, time
steps = threading.Semaphore(0)


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/wait":
        steps.acquire()
    elif path == "/wait-gone":
        while not environ["headrace.disconnected"]():
            time.sleep(0.005)
    elif path == "/step":
        steps.release()
    elif path == "/spin":
        end = time.monotonic() + 0.01
        while time.monotonic() < end:
            pass
    elif path == "/ticker":
        return Ticker(start_response)
    elif path == "/slow-close":
        start_response("200 OK", [("Content-Length", "2")])
        return Slow()
    start_response("200 OK", [])
    return [path.encode()]


class Ticker:
    def __init__(self, start_response):
        start_response("200 OK", [])
    def __iter__(self):
        while True:
            time.sleep(0.005)
            yield b"tick"


class Slow:
    def __iter__(self):
        yield b"ok"
    def close(self):
        steps.acquire()
"""


def start(platform: Platform, **options: Any) -> Instance:
    return platform.start("app.py:app", APP, interface="wsgi", **options)


def test_ready(platform: Platform) -> None:
    ready = start(platform).wait("ready")
    assert (ready["interface"], ready["loop"]) == ("wsgi", "threads")


def test_drain_reports_idle_each_time(platform: Platform) -> None:
    instance = start(platform)
    with instance.connect() as gateway:
        waiting = gateway.request("GET", "/wait")
        assert gateway.get("/").status == 200
        instance.tell("drain")
        assert gateway.next(0).type == f.DRAIN
        assert gateway.request("GET", "/step").answer().status == 200  # still served
        assert waiting.answer().body == b"/wait"
        instance.wait("idle")
        assert gateway.get("/").status == 200
        instance.wait("idle", 2)
        assert instance.stop() == 0
        assert instance.messages[-1]["type"] == "stopped"


def test_drain_when_idle(platform: Platform) -> None:
    instance = start(platform)
    instance.tell("drain")
    instance.wait("idle")
    assert instance.stop() == 0


def test_disconnect_reaches_running_requests(platform: Platform) -> None:
    instance = start(platform)
    with instance.connect() as gateway:
        stream = gateway.request("GET", "/wait-gone")
        gateway.get("/")
        instance.tell("disconnect")
        stream.expect_done()
    assert instance.stop() == 0


def test_disconnect_of_what_had_begun_at_the_time_before(platform: Platform) -> None:
    instance = start(platform)
    with instance.connect() as gateway:
        waiting, ticker = gateway.request("GET", "/wait"), gateway.request("GET", "/ticker")
        ticker.expect(f.RESPONSE)
        instance.tell("drain")
        instance.tell("disconnect", begun=True)
        frame = ticker.next()
        while frame.type == f.DATA:
            frame = ticker.next()
        assert frame.type == f.DONE, "as for a client that is gone"
        gateway.get("/step")
        assert waiting.answer().body == b"/wait"
    assert instance.stop() == 0


def test_stop_waits_for_running_requests(platform: Platform) -> None:
    instance = start(platform)
    with instance.connect() as gateway:
        waiting = gateway.request("GET", "/wait")
        gateway.get("/")
        instance.tell("stop", timeout_ms=60000)
        gateway.get("/step")
        assert waiting.answer().status == 200
        assert instance.join() == 0


def test_stop_gives_up_in_time(platform: Platform) -> None:
    instance = start(platform)
    with instance.connect() as gateway:
        gateway.request("GET", "/wait")
        gateway.get("/")
        assert instance.stop(timeout_ms=1) == 0


def test_platform_gone(platform: Platform) -> None:
    instance = start(platform)
    instance.hang_up()
    assert instance.join() == 1


def stats(instance: Instance, streams: int, served: int) -> "dict[str, Any]":
    """The stats once they say so: a request is counted out just after its DONE."""
    for turn in range(1000):
        instance.tell("stats")
        answer = instance.wait("stats", turn + 1)
        if (answer["streams"], answer["served"]) == (streams, served):
            return answer
    raise AssertionError(f"stats never became {streams}, {served}: {answer}")


def test_stats(platform: Platform) -> None:
    instance = start(platform, concurrency=4)
    with instance.connect() as gateway:
        waiting = gateway.request("GET", "/wait")
        for _ in range(5):
            gateway.get("/")
        answer = stats(instance, streams=1, served=5)
        assert answer["threads_busy"] == 1
        assert answer["threads"] >= 2
        gateway.get("/step")
        waiting.answer()


def test_released(platform: Platform) -> None:
    instance = start(platform)
    with instance.connect() as other:
        with instance.connect(gateway=42) as gateway:
            stream = gateway.request("GET", "/wait")
            other.get("/")
            del stream
        other.get("/")
        assert not any(message["type"] == "released" for message in instance.messages)  # its request still runs
        other.get("/step")
        assert instance.wait("released")["gateway"] == 42


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (f.frame(f.DATA, 0, 9, b"x"), "never opened"),
        (f.frame(f.REQUEST, f.FLAG_END, 1, b"GET\0/\0   \0r\0\0"), "stream 1 after stream 1"),
        (f.frame(f.REQUEST, f.FLAG_END, 2, b"GET\0/\0   \0r\0\0\0odd"), "7 fields"),
        (f.frame(f.REQUEST, f.FLAG_END, 2, b"GET\0/\0   "), "3 fields"),
        (f.frame(0x7F, 0, 1, b""), "unknown type"),
        (f.frame(f.CREDIT, 0, 1, bytes(4)), "CREDIT of 0"),
        (f.frame(f.WS_MESSAGE, 0, 1, b"x"), "no WebSocket"),
        (f.frame(f.DATA, 0, 1, b"x"), "after the end"),
        (f.hello(5), "second HELLO"),
        (f.frame(f.PING, 0, 1, bytes(8)), "on stream 1"),
    ],
)
def test_bad_frames_end_the_connection_only(platform: Platform, data: bytes, reason: str) -> None:
    instance = start(platform, logs=True)
    with instance.connect() as good, instance.connect() as bad:
        waiting = good.request("GET", "/wait")
        bad.request("GET", "/wait")
        good.get("/")
        bad.send(data)
        assert bad.closed_by_worker()
        assert reason in instance.wait_log("invalid frame")
        good.get("/step")
        good.get("/step")
        assert waiting.answer().status == 200


def test_data_beyond_credit(platform: Platform) -> None:
    instance = start(platform, logs=True, window=1000)
    with instance.connect() as gateway:
        stream = gateway.request("POST", "/wait", body=None)
        stream.data(bytes(1000))
        stream.data(b"x")
        assert gateway.closed_by_worker()
        instance.wait_log("beyond the credit")


def test_frames_before_hello(platform: Platform) -> None:
    instance = start(platform, logs=True)
    with Gateway(instance.listen, hello=False) as gateway:
        gateway.send(f.frame(f.REQUEST, f.FLAG_END, 1, b"GET\0/\0   \0r\0\0"))
        assert gateway.closed_by_worker()
        instance.wait_log("before HELLO")


def test_ping(platform: Platform) -> None:
    with start(platform).connect() as gateway:
        gateway.send(f.frame(f.PING, 0, 0, b"12345678"))
        assert gateway.next(0)[:4] == (f.PONG, 0, 0, b"12345678")


def test_frames_in_single_bytes(platform: Platform) -> None:
    with start(platform).connect() as gateway:
        request = f.frame(f.REQUEST, f.FLAG_END, 1, b"GET\0/bytes\0   \0r\0\0")
        for at in range(len(request)):
            gateway.send(request[at : at + 1])
        frames = [gateway.next(1) for _ in range(3)]
        assert [frame.type for frame in frames] == [f.RESPONSE, f.DATA, f.DONE]


def test_websocket_is_served_as_a_plain_request(platform: Platform) -> None:
    with start(platform).connect() as gateway:
        answer = gateway.websocket("/socket", [("upgrade", "websocket")]).answer()
        assert (answer.status, answer.body) == (200, b"/socket")


def test_quick_requests_pass_a_stuck_one(platform: Platform) -> None:
    """The leader runs quick apps itself: when one of them waits after all, another thread has to lead on."""
    with start(platform, concurrency=3).connect() as gateway:
        for _ in range(100):
            gateway.get("/")
        waiting = [gateway.request("GET", "/wait") for _ in range(2)]
        for _ in range(50):
            assert gateway.get("/").status == 200
        gateway.get("/step")
        gateway.get("/step")
        assert [stream.answer().status for stream in waiting] == [200, 200]


def test_response_leaves_before_a_slow_close(platform: Platform) -> None:
    with start(platform, concurrency=3).connect() as gateway:
        for _ in range(100):
            gateway.get("/")
        stream = gateway.request("GET", "/slow-close")
        assert stream.expect(f.RESPONSE).status == 200
        assert stream.expect(f.DATA).end
        gateway.get("/step")
        stream.expect_done()


def test_more_requests_than_slots(platform: Platform) -> None:
    """The gateway never sends more, but a worker that got more has to serve them in turn."""
    with start(platform, concurrency=2).connect() as gateway:
        streams = [gateway.request("GET", "/spin") for _ in range(20)]
        assert [stream.answer().status for stream in streams] == [200] * 20


def test_many_gateways_at_once(platform: Platform) -> None:
    instance = start(platform, concurrency=16)
    failures: "list[object]" = []

    def drive(number: int) -> None:
        try:
            with instance.connect(gateway=number) as gateway:
                for turn in range(60):
                    path = ("/spin", "/a", "/b", "/c")[(turn + number) % 4]
                    streams = [gateway.request("GET", path) for _ in range(2)]
                    for stream in streams:
                        answer = stream.answer()
                        assert (answer.status, answer.body) == (200, path.encode())
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=drive, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    for count in range(1, 9):
        instance.wait("released", count)
    assert stats(instance, streams=0, served=960)["threads_busy"] == 0


def test_a_gateway_that_reads_nothing(platform: Platform) -> None:
    """Its responses wait in the socket; other gateways are served, and it gets all of them in the end."""
    source = APP.replace("return [path.encode()]", "return [path.encode() * 20000]")
    instance = platform.start("app.py:app", source, interface="wsgi", concurrency=40)
    with instance.connect(gateway=1, window=1 << 20) as slow, instance.connect(gateway=2, window=1 << 20) as good:
        streams = [slow.request("GET", f"/{number:04}") for number in range(40)]
        assert len(good.get("/good").body) == 100000
        for number, stream in enumerate(streams):
            assert stream.answer().body == f"/{number:04}".encode() * 20000


def test_stacks_are_dumped(platform: Platform) -> None:
    instance = start(platform, logs=True)
    with instance.connect() as gateway:
        waiting = gateway.request("GET", "/wait")
        gateway.get("/")
        os.kill(instance.process.pid, signal.SIGUSR2)
        instance.wait_log("in app")
        gateway.get("/step")
        waiting.answer()


FILES = """
import io, os, sys, tempfile

BIG = os.path.abspath("big")


class Counting(io.BytesIO):
    pass


def app(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    wrap = environ["wsgi.file_wrapper"]
    headers = [("Content-Length", query)] if query else []
    if path == "/memory":
        body = wrap(io.BytesIO(b"0123456789"), 4)
    elif path == "/unseekable":
        class Plain:
            def read(self, size):
                self.left = getattr(self, "left", 3) - 1
                return b"x" * size if self.left >= 0 else b""
        body = wrap(Plain(), 5)
    elif path == "/wrapped":
        inner = wrap(open(BIG, "rb"))
        body = (part.lower() for part in inner)
    else:
        file = open("big" if path == "/relative" else BIG, "rb")
        if path == "/offset":
            file.seek(1000)
        if path == "/small":
            file = open(sys.modules[__name__].__file__, "rb")
        if path == "/deleted":
            name = BIG + ".tmp"
            with open(name, "wb") as copy:
                copy.write(file.read())
            file = open(name, "rb")
            plain_close = file.close
            def close():
                plain_close()
                os.unlink(name)
            file.close = close
        if path == "/temporary":
            kept = tempfile.NamedTemporaryFile()
            kept.write(b"y" * 400000)
            kept.seek(0)
            file = kept
        body = wrap(file)
    start_response("200 OK", headers)
    return body
"""


@pytest.fixture
def files(platform: Platform) -> Iterator[Gateway]:
    Path(platform.folder, "big").write_bytes(bytes(range(65, 91)) * 20000)
    with platform.start("app.py:app", FILES, interface="wsgi", table=True).connect() as gateway:
        yield gateway


SIZE = 520000


def test_whole_file_is_left_to_the_gateway(files: Gateway, platform: Platform) -> None:
    for target in ("/big", f"/big?{SIZE}"):
        answer = files.get(target)
        assert answer.file == os.fsencode(os.path.join(platform.folder, "big"))
        assert (answer.status, answer.body, answer.header(b"content-length")) == (200, b"", str(SIZE).encode())
        assert [frame.type for frame in answer.frames] == [f.RESPONSE, f.FILE, f.DONE]


@pytest.mark.parametrize(
    ("target", "size", "reset"),
    [
        ("/memory", 10, None),
        ("/memory?4", 4, None),
        ("/memory?12", 10, f.RESET_INCOMPLETE),
        ("/unseekable", 15, None),
        ("/wrapped", SIZE, None),
        ("/offset", SIZE - 1000, None),
        ("/big?1000", 1000, None),
        (f"/big?{SIZE + 1}", SIZE, f.RESET_INCOMPLETE),
        ("/relative", SIZE, None),
        ("/deleted", SIZE, None),
        ("/temporary", 400000, None),
    ],
)
def test_files_that_are_read(files: Gateway, target: str, size: int, reset: int) -> None:
    answer = files.get(target)
    assert (answer.status, len(answer.body), answer.file, answer.reset) == (200, size, None, reset)


def test_small_files_and_head(files: Gateway) -> None:
    answer = files.get("/small")
    assert (answer.file, answer.body) == (None, FILES.encode())
    answer = files.request("HEAD", "/big").answer()
    assert (answer.status, answer.body, answer.file) == (200, b"", None)


def test_remote_gateways_get_no_files(platform: Platform) -> None:
    Path(platform.folder, "big").write_bytes(bytes(SIZE))
    with platform.start("app.py:app", FILES, interface="wsgi").connect() as gateway:
        answer = gateway.get("/big")
        assert (answer.file, len(answer.body)) == (None, SIZE)
