"""`--worker-class gevent`: the same app and exchanges on greenlets."""

from __future__ import annotations

import pytest
from harness import HOME, Platform

from headrace.worker import frames as f

APP = """
import socket, threading, time

barrier = threading.Barrier(20)
local = threading.local()


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/patched":
        import gevent.monkey
        body = str(gevent.monkey.is_module_patched("socket")).encode()
    elif path == "/together":
        barrier.wait()
        body = b"together"
    elif path == "/echo":
        body = environ["wsgi.input"].read()
    elif path == "/exit":
        from gevent import GreenletExit
        raise GreenletExit("planned")
    elif path == "/flood":
        write = start_response("200 OK", [])
        while True:
            write(b"x" * 50000)
    elif path == "/big":
        body = b"x" * 2000000
    elif path == "/thread":
        body = str(threading.active_count()).encode()
    start_response("200 OK", [])
    return [body]
"""


@pytest.fixture(autouse=True)
def _gevent_is_installed() -> None:
    pytest.importorskip("gevent")


def test_gevent(platform: Platform) -> None:
    instance = platform.start("app.py:app", APP, interface="wsgi", worker_class="gevent", concurrency=20)
    ready = instance.wait("ready")
    assert (ready["interface"], ready["loop"]) == ("wsgi", "gevent")
    with instance.connect() as gateway, instance.connect(gateway=9) as other:
        assert gateway.get("/patched").body == b"True"
        streams = [gateway.request("GET", "/together") for _ in range(20)]
        assert [stream.answer().body for stream in streams] == [b"together"] * 20
        stream = gateway.request("POST", "/echo", body=None)
        stream.data(b"abc")
        assert other.post("/echo", b"other").body == b"other"
        stream.data(b"def", end=True)
        assert stream.answer().body == b"abcdef"
        assert gateway.get("/exit").status == 500
        assert len(gateway.get("/big").body) == 2000000
        flood = gateway.request("GET", "/flood")
        flood.expect(f.RESPONSE)
        flood.reset()
        while not flood.next().done:
            pass
        assert gateway.get("/patched").status == 200
        other.close()
        assert instance.wait("released")["gateway"] == 9
        instance.tell("stats")
        assert instance.wait("stats")["streams"] == 0
        instance.tell("drain")
        instance.wait("idle")
    assert instance.stop() == 0


def test_gevent_missing(platform: Platform) -> None:
    platform.write("gevent/__init__.py", "raise ImportError('not here')\n")
    start = f"import sys; sys.path[:0] = [{platform.folder!r}, {HOME!r}]; from headrace.worker.main import main; sys.exit(main())"
    failed = platform.fail("app.py:app", APP, interface="wsgi", worker_class="gevent", entry=["-c", start])
    assert (failed["stage"], failed["code"]) == ("boot", "gevent-missing")
