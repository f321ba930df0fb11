"""What functions-framework-conformance checks, with events of our own, on the functions of test/apps/conformance."""

from __future__ import annotations

import json
import os
from typing import Any, Dict

import pytest
from harness import ENTRY, HOME, Instance, Platform
from test_legacy import CASES, Case, attributes, body, names

APPS = os.path.join(os.path.dirname(HOME), "test", "apps", "conformance")
JSON = [("content-type", "application/json")]


@pytest.fixture(scope="module", params=["installed", "bare"])
def options(request: pytest.FixtureRequest) -> Dict[str, Any]:
    if request.param == "bare":
        return {"entry": ["-S", ENTRY]}
    pytest.importorskip("functions_framework")
    return {}


def start(platform: Platform, file: str, target: str, signature: str, options: Dict[str, Any]) -> Instance:
    environ = {"OUTPUT": os.path.join(platform.folder, "function_output.json"), "FUNCTION_SIGNATURE_TYPE": signature}
    return platform.start(f"{os.path.join(APPS, file)}:{target}", app_dir=APPS, interface="function", environ=environ, **options)


def output(platform: Platform) -> Any:
    with open(os.path.join(platform.folder, "function_output.json"), encoding="utf-8") as file:
        return json.load(file)


def binary(case: Case) -> "list[tuple[str, str]]":
    given = {f"ce-{name}": value for name, value in attributes(case).items() if name != "datacontenttype"}
    return [*given.items(), *JSON]


@pytest.mark.parametrize(
    ("file", "target"),
    [("main.py", "write_http"), ("main.py", "write_http_declarative"), ("aio_main.py", "write_http_async")],
)
def test_http(platform: Platform, options: Dict[str, Any], file: str, target: str) -> None:
    with start(platform, file, target, "http", options).connect() as gateway:
        assert gateway.post("/", b'{"res":"PASS"}', JSON).status == 200
    assert output(platform) == {"res": "PASS"}


def test_typed(platform: Platform, options: Dict[str, Any]) -> None:
    with start(platform, "main.py", "typed_conformance_test", "http", options).connect() as gateway:
        answer = gateway.post("/", b'{"message":"Hello world!"}', JSON)
        assert (answer.status, answer.json()) == (200, {"payload": {"message": "Hello world!"}})


@pytest.mark.parametrize(
    ("file", "target"),
    [
        ("main.py", "write_cloud_event"),
        ("main.py", "write_cloud_event_declarative"),
        ("aio_main.py", "write_cloud_event_async"),
    ],
)
def test_cloud_events(platform: Platform, options: Dict[str, Any], file: str, target: str) -> None:
    with start(platform, file, target, "cloudevent", options).connect() as gateway:
        for case in CASES:
            expected = {**attributes(case), "data": case.ce_data}
            assert gateway.post("/", json.dumps(case.ce_data).encode(), binary(case)).status == 200, names(case)
            assert output(platform) == expected
            if file == "main.py":
                assert gateway.post("/", json.dumps(body(case)).encode(), JSON).status == 200, names(case)
                assert output(platform) == expected


def test_legacy_events(platform: Platform, options: Dict[str, Any]) -> None:
    with start(platform, "main.py", "write_legacy_event", "event", options).connect() as gateway:
        for case in CASES:
            given = body(case)
            expected = {"data": given["data"], "context": given["context"]}
            assert gateway.post("/", json.dumps(given).encode(), JSON).status == 200, names(case)
            assert output(platform) == expected
            if case.back is None:
                continue
            assert gateway.post("/", json.dumps(case.ce_data).encode(), binary(case)).status == 200, names(case)
            expected["context"]["eventType"] = case.back or case.event_type
            assert output(platform) == expected


TOGETHER = """
import asyncio, threading
import functions_framework, functions_framework.aio

barrier = threading.Barrier(10)
arrived = 0
all_here = None


@functions_framework.http
def on_threads(request):
    barrier.wait()
    return "together"


@functions_framework.aio.http
async def on_loop(request):
    global arrived, all_here
    all_here = all_here or asyncio.Event()
    arrived += 1
    if arrived == 10:
        all_here.set()
    await all_here.wait()
    return "together"
"""


@pytest.mark.parametrize("target", ["on_threads", "on_loop"])
def test_concurrency(platform: Platform, options: Dict[str, Any], target: str) -> None:
    with platform.start(f"main.py:{target}", TOGETHER, **options).connect() as gateway:
        streams = [gateway.request("GET", "/") for _ in range(10)]
        assert [stream.answer().body for stream in streams] == [b"together"] * 10
