"""ASGI extensions: pathsend, trailers, early hints."""

from __future__ import annotations

from typing import Iterator

import pytest
from harness import Gateway, Instance, Platform

from headrace.worker import frames as f

APP = """
import asyncio, os
FILE = os.path.abspath(__file__)

async def app(scope, receive, send):
    await globals()[scope["path"][1:]](scope, receive, send)

async def start(send, **more):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"1")], **more})

async def body(send, data=b"", more=False):
    await send({"type": "http.response.body", "body": data, "more_body": more})

async def trail(send, *pairs, more=False):
    await send({"type": "http.response.trailers", "headers": pairs, "more_trailers": more})

async def file(scope, receive, send):
    await start(send)
    await send({"type": "http.response.pathsend", "path": FILE})
    assert (await receive())["type"] == "http.disconnect"

async def file_later(scope, receive, send):
    await start(send)
    await asyncio.sleep(0.01)
    await send({"type": "http.response.pathsend", "path": FILE})

async def file_mixed(scope, receive, send):
    await start(send)
    await body(send, b"x", True)
    try:
        await send({"type": "http.response.pathsend", "path": FILE})
    except RuntimeError:
        await body(send, b"refused")

async def file_twice(scope, receive, send):
    await start(send)
    await send({"type": "http.response.pathsend", "path": FILE})
    try:
        await send({"type": "http.response.pathsend", "path": FILE})
    except RuntimeError:
        print("second pathsend refused", flush=True)

async def trailers(scope, receive, send):
    await start(send, trailers=True)
    await body(send, b"a", True)
    await body(send, b"b")
    await trail(send, (b"X-Sum", b"1"), more=True)
    await trail(send, (b"x-more", b"2"))
    try:
        await trail(send, (b"late", b"1"))
    except RuntimeError:
        print("late trailers refused", flush=True)

async def trailers_missing(scope, receive, send):
    await start(send, trailers=True)
    await body(send, b"b")

async def trailers_unannounced(scope, receive, send):
    await start(send)
    await body(send, b"b")
    try:
        await trail(send)
    except RuntimeError:
        print("unannounced trailers refused", flush=True)

async def hints(scope, receive, send):
    await send({"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload", b"</b.js>; rel=preload"]})
    await start(send)
    await send({"type": "http.response.early_hint", "links": [b"</c>"]})
    await body(send, b"x", True)
    await send({"type": "http.response.early_hint", "links": [b"</too-late>"]})
    await body(send)

async def hint_injection(scope, receive, send):
    try:
        await send({"type": "http.response.early_hint", "links": [b"x\\r\\nset-cookie: a=1"]})
    except ValueError:
        await start(send)
        await body(send, b"refused")
"""


@pytest.fixture(scope="module")
def instance(shared: Platform) -> Iterator[Instance]:
    one = shared.start("extension_app.py", APP, lifespan="off", logs=True)
    yield one
    assert one.stop() == 0
    assert not [line for line in one.log() if "Traceback" in line]


@pytest.fixture
def gateway(instance: Instance) -> Iterator[Gateway]:
    with instance.connect() as one:
        yield one


def test_pathsend(gateway: Gateway, instance: Instance) -> None:
    answer = gateway.get("/file")
    assert answer.file is not None and answer.file.endswith(b"/extension_app.py")
    assert (answer.status, answer.header(b"x"), answer.body) == (200, b"1", b"")
    assert gateway.get("/file_later").file == answer.file, "also when the head has left already"
    assert gateway.get("/file_mixed").body == b"xrefused"
    assert gateway.get("/file_twice").file is not None
    instance.wait_log("second pathsend refused", "stdout")


def test_pathsend_for_head_sends_no_file(gateway: Gateway) -> None:
    answer = gateway.request("HEAD", "/file").answer()
    assert (answer.file, answer.body, answer.status, answer.reset) == (None, b"", 200, None)


def test_trailers(gateway: Gateway, instance: Instance) -> None:
    answer = gateway.get("/trailers", [("te", "trailers")])
    assert answer.body == b"ab"
    assert answer.trailers == [(b"x-sum", b"1"), (b"x-more", b"2")]
    assert answer.frames[0].flags == f.FLAG_TRAILERS
    assert not [frame for frame in answer.frames if frame.end]
    instance.wait_log("late trailers refused", "stdout")
    assert gateway.get("/trailers", flags=f.FLAG_HTTP2).trailers


def test_trailers_are_dropped_when_the_client_takes_none(gateway: Gateway) -> None:
    answer = gateway.get("/trailers")
    assert (answer.body, answer.trailers, answer.reset) == (b"ab", None, None)
    assert answer.frames[0].flags == 0
    assert gateway.request("HEAD", "/trailers", [("te", "trailers")]).answer().trailers is None


def test_trailers_that_never_come_are_incomplete(gateway: Gateway, instance: Instance) -> None:
    assert gateway.get("/trailers_missing", [("te", "trailers")]).reset == f.RESET_INCOMPLETE
    assert gateway.get("/trailers_missing").reset is None
    assert gateway.get("/trailers_unannounced", [("te", "trailers")]).body == b"b"
    instance.wait_log("unannounced trailers refused", "stdout")


def test_early_hints(gateway: Gateway) -> None:
    answer = gateway.get("/hints")
    informs = [frame for frame in answer.frames if frame.type == f.INFORM]
    assert [frame.status for frame in informs] == [103, 103]
    assert informs[0].pairs == [(b"link", b"</a.css>; rel=preload"), (b"link", b"</b.js>; rel=preload")]
    assert informs[1].pairs == [(b"link", b"</c>")]
    kinds = [frame.type for frame in answer.frames]
    assert kinds.index(f.RESPONSE) == 2 and answer.body == b"x"
    assert gateway.get("/hint_injection").body == b"refused"
