"""Calls from one service to another: the URL, and what goes along of the request that is being worked for."""

from __future__ import annotations

import json
from typing import Any, Dict

import pytest
from harness import Gateway, Instance, Platform

import headrace

ASGI = """
import asyncio, json
import headrace

def seen():
    return {"headers": headrace.context_headers({"X-Own": "1"}), "left": headrace.remaining()}

async def in_task():
    return seen()

later = []

async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        before = seen()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": json.dumps([before, seen()])})
        await send({"type": "websocket.close"})
        return
    if scope["path"] == "/later":
        body = json.dumps(later.pop()).encode()
    else:
        body = json.dumps([seen(), await asyncio.create_task(in_task()), await asyncio.to_thread(seen)]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
    await asyncio.sleep(0)
    later.append(seen())
"""

WSGI = """
import json, threading
import headrace

later = []

def seen():
    return {"headers": headrace.context_headers({"X-Own": "1"}), "left": headrace.remaining()}

def app(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/later":
        yield json.dumps(later.pop()).encode()
        return
    yield json.dumps([seen()]).encode()
    later.append(seen())
"""

FUNCTION = """
import json
import headrace

def handle(request):
    return json.dumps([{"headers": headrace.context_headers({"X-Own": "1"}), "left": headrace.remaining()}])
"""

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CARRIED = [("traceparent", TRACE), ("tracestate", "a=b"), ("headrace-priority", "bulk"), ("x-else", "1")]


def check(seen: Dict[str, Any], timeout: float) -> None:
    headers = seen["headers"]
    left = float(headers.pop("x-request-timeout"))
    assert headers == {"traceparent": TRACE, "tracestate": "a=b", "headrace-priority": "bulk", "X-Own": "1"}
    assert 0 < left <= timeout
    assert left - 1 < seen["left"] <= timeout


def start(platform: Platform, interface: str) -> Instance:
    if interface == "asgi":
        return platform.start("app.py:app", ASGI, interface="asgi")
    if interface == "wsgi":
        return platform.start("app.py:app", WSGI, interface="wsgi")
    return platform.start("app.py:handle", FUNCTION, interface="function")


@pytest.mark.parametrize("interface", ["asgi", "wsgi", "function"])
def test_deadline_trace_and_class_go_along(platform: Platform, interface: str) -> None:
    with start(platform, interface).connect() as gateway:
        for seen in json.loads(gateway.get("/", CARRIED, timeout="60000").body):
            check(seen, 60)


@pytest.mark.parametrize("interface", ["asgi", "wsgi", "function"])
def test_a_request_without_them_carries_nothing(platform: Platform, interface: str) -> None:
    with start(platform, interface).connect() as gateway:
        gateway.get("/", CARRIED, timeout="60000")
        for seen in json.loads(gateway.get("/", timeout="").body):
            assert seen == {"headers": {"X-Own": "1"}, "left": None}


def test_a_deadline_that_is_over_leaves_next_to_nothing(platform: Platform) -> None:
    with start(platform, "asgi").connect() as gateway:
        seen = json.loads(gateway.get("/", timeout="1").body)
        assert seen[-1]["left"] < 1
        assert float(seen[-1]["headers"]["x-request-timeout"]) >= 0.001


@pytest.mark.parametrize("interface", ["asgi", "wsgi"])
def test_nothing_is_due_once_the_response_has_begun(platform: Platform, interface: str) -> None:
    with start(platform, interface).connect() as gateway:
        gateway.get("/", CARRIED, timeout="60000")
        seen = json.loads(gateway.get("/later").body)
        assert seen["left"] is None
        assert seen["headers"] == {"traceparent": TRACE, "tracestate": "a=b", "headrace-priority": "bulk", "X-Own": "1"}


def websocket_text(gateway: Gateway) -> str:
    from headrace.worker import frames as f

    stream = gateway.websocket("/", CARRIED, timeout="60000")
    stream.expect(f.WS_ACCEPT)
    return stream.expect(f.WS_MESSAGE).payload.decode()


def test_a_websocket_is_due_until_it_is_accepted(platform: Platform) -> None:
    with start(platform, "asgi").connect() as gateway:
        before, after = json.loads(websocket_text(gateway))
        check(before, 60)
        assert after["left"] is None
        assert after["headers"]["traceparent"] == TRACE


def test_outside_of_requests_there_is_nothing() -> None:
    assert headrace.context_headers() == {}
    assert headrace.context_headers({"a": "b"}) == {"a": "b"}
    assert headrace.remaining() is None


def test_a_service_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_SERVICE_LEGACY_API_URL", "http://127.0.0.1:4000")
    monkeypatch.setenv("HEADRACE_SERVICE_SHOP_URL", "http://127.0.0.1:4001/")
    assert headrace.service_url("legacy-api") == "http://127.0.0.1:4000"
    assert headrace.service_url("legacy-api", "/a/b?c=d") == "http://127.0.0.1:4000/a/b?c=d"
    assert headrace.service_url("shop", "a") == "http://127.0.0.1:4001/a"
    for name in ("else", "", "SHOP", "shop.internal"):
        with pytest.raises(LookupError, match=r"legacy-api, shop"):
            headrace.service_url(name)


COUNTS = """
import asyncio, gc
gc.disable()

def live():
    return sum(type(each).__name__ in ("HttpStream", "WebSocketStream", "Exchange") for each in gc.get_objects())

async def app(scope, receive, send):
    if scope["path"] == "/waits":
        await asyncio.sleep(0.001)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(live()).encode()})

def wsgi(environ, start_response):
    start_response("200 OK", [])
    return [str(live()).encode()]
"""


@pytest.mark.parametrize(("interface", "path"), [("asgi", "/"), ("asgi", "/waits"), ("wsgi", "/")])
def test_a_request_is_gone_from_memory_as_it_ends(platform: Platform, interface: str, path: str) -> None:
    """Without the help of the collector, whose work would be paid for by later requests."""
    name = "app" if interface == "asgi" else "wsgi"
    with platform.start(f"app.py:{name}", COUNTS, interface=interface).connect() as gateway:
        counts = [int(gateway.get(path).body) for _ in range(30)]
    # A thread may still have its last one.
    assert max(counts) <= 3, counts
