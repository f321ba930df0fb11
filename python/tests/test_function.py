"""functions-framework's contract, with its packages installed and with nothing installed at all."""

from __future__ import annotations

import importlib.util
import json
import sys
from typing import Any, Dict, Iterator, List

import pytest
from harness import ENTRY, Gateway, Instance, Platform

BARE: Dict[str, Any] = {"entry": ["-S", ENTRY]}
"""Without site-packages."""

HTTP = """
import functions_framework


@functions_framework.http
def hello(request):
    what = request.path
    if what == "/args":
        return {
            "method": request.method,
            "path": request.path,
            "name": request.args.get("name"),
            "all": request.args.getlist("name"),
            "number": request.args.get("number", type=int),
            "header": request.headers.get("X-Thing"),
            "cookie": request.cookies.get("c"),
            "url": request.url,
            "host": request.host,
            "full": request.full_path,
            "id": len(request.headers["Function-Execution-Id"]),
            "query": request.query_string.decode(),
        }
    if what == "/json":
        return [request.is_json, request.get_json(silent=True), request.content_type, request.get_data(as_text=True)]
    if what == "/form":
        return {"form": request.form.to_dict(), "values": request.values.get("q"), "data": request.data.decode(),
                "m": request.mimetype}
    if what == "/text":
        return "text \\u20ac"
    if what == "/bytes":
        return b"\\xff\\x00"
    if what == "/tuple":
        return "made", 201, {"X-Made": "yes"}
    if what == "/status":
        return {"made": True}, 202
    if what == "/headers":
        return "x", {"X-Made": "yes", "Content-Type": "text/csv"}
    if what == "/stream":
        return (part for part in ["one,", "two"])
    if what == "/none":
        return None
    if what == "/handled":
        raise ZeroDivisionError("planned")
    if what == "/crash":
        raise ValueError("planned crash")
    return "at " + what


@functions_framework.errorhandler(ZeroDivisionError)
def handle(error):
    return "handled " + str(error), 418
"""

EVENTS = """
import asyncio, json
import functions_framework
from cloudevents.http import CloudEvent
from google.cloud.functions.context import Context

seen = []


@functions_framework.cloud_event
def on_event(event: CloudEvent):
    assert isinstance(event, CloudEvent), type(event)
    if event.data == "crash":
        raise ValueError("planned crash")
    attributes = dict(event.get_attributes())
    print("GOT " + json.dumps({"attributes": attributes, "data": repr(event.data), "type": event["type"]}), flush=True)


def background(data, context):
    assert isinstance(context, Context), type(context)
    print("GOT " + json.dumps([data if not isinstance(data, bytes) else repr(data), context.event_id, context.timestamp,
                               context.event_type, context.resource]), flush=True)


class Order:
    def __init__(self, size):
        self.size = size
    @staticmethod
    def from_dict(given):
        return Order(given["size"])
    def to_dict(self):
        return {"size": self.size}


@functions_framework.typed
def double(order: Order):
    if order.size == 0:
        return None
    if order.size == 1:
        return "plain"
    if order.size == 2:
        raise ValueError("planned crash")
    if order.size == 3:
        return Context()
    return Order(order.size * 2)


@functions_framework.typed(Order)
def double2(order):
    return Order(order.size * 2)
"""

AIO = """
import asyncio, contextvars, json, threading
import functions_framework.aio

var = contextvars.ContextVar("var", default="unset")


@functions_framework.aio.http
async def hello(request):
    path = request.url.path if hasattr(request.url, "path") else request.path_params["path"]
    what = path.rsplit("/", 1)[-1]
    if what == "args":
        return {"method": request.method, "q": request.query_params.get("q"), "h": request.headers.get("x-thing"),
                "id": len(request.headers["function-execution-id"])}
    if what == "json":
        return {"json": await request.json(), "body": (await request.body()).decode()}
    if what == "stream":
        return {"size": sum([len(chunk) async for chunk in request.stream()])}
    if what == "tuple":
        return {"made": True}, 201
    if what == "text":
        return "text", 202
    if what == "none":
        return None
    if what == "crash":
        raise ValueError("planned crash")
    return "at " + what


@functions_framework.aio.http
def sync(request):
    assert threading.current_thread() is not threading.main_thread()
    return "on a thread"


@functions_framework.aio.cloud_event
async def on_event(event):
    print("GOT " + json.dumps([event["type"], event.data]), flush=True)


async def undecorated(request):
    return "async without a decorator"
"""


def start(platform: Platform, source: str, target: str, **options: Any) -> Instance:
    return platform.start(f"main.py:{target}", source, **options)


@pytest.fixture(scope="module", params=["installed", "bare"])
def flavour(request: pytest.FixtureRequest) -> Dict[str, Any]:
    if request.param == "bare":
        return BARE
    for name in ("flask", "functions_framework", "cloudevents", "starlette"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    return {}


@pytest.fixture(scope="module")
def http(shared: Platform, flavour: Dict[str, Any]) -> Iterator[Gateway]:
    instance = start(shared, HTTP, "hello", logs=True, **flavour)
    assert instance.wait("ready")["interface"] == "function"
    with instance.connect() as gateway:
        yield gateway


def test_request(http: Gateway) -> None:
    headers = [("host", "shop.example"), ("x-thing", "t"), ("cookie", "c=d; e=f")]
    answer = http.request("PUT", "/args?name=a%20b&name=c&number=7", headers).answer()
    assert answer.json() == {
        "method": "PUT",
        "path": "/args",
        "name": "a b",
        "all": ["a b", "c"],
        "number": 7,
        "header": "t",
        "cookie": "d",
        "url": "http://shop.example/args?name=a%20b&name=c&number=7",
        "host": "shop.example",
        "full": "/args?name=a%20b&name=c&number=7",
        "id": 12,
        "query": "name=a%20b&name=c&number=7",
    }
    assert answer.header(b"content-type") == b"application/json"


def test_bodies(http: Gateway) -> None:
    kind = ("content-type", "application/json")
    assert http.post("/json", b'{"a": 1}', [kind]).json() == [True, {"a": 1}, "application/json", '{"a": 1}']
    assert http.post("/json", b"{", [kind]).json() == [True, None, "application/json", "{"]
    assert http.post("/json", b"x", [("content-type", "text/plain")]).json() == [False, None, "text/plain", "x"]
    form = [("content-type", "application/x-www-form-urlencoded")]
    expected = {"form": {"a": "1 2", "b": ""}, "values": "3", "data": "", "m": "application/x-www-form-urlencoded"}
    assert http.post("/form?q=3", b"a=1+2&b=", form).json() == expected


def test_results(http: Gateway) -> None:
    answer = http.get("/text")
    assert (answer.body, answer.header(b"content-type")) == ("text \u20ac".encode(), b"text/html; charset=utf-8")
    assert http.get("/bytes").body == b"\xff\x00"
    answer = http.get("/tuple")
    assert (answer.status, answer.body, answer.header(b"x-made")) == (201, b"made", b"yes")
    answer = http.get("/status")
    assert (answer.status, answer.json()) == (202, {"made": True})
    answer = http.get("/headers")
    assert (answer.header(b"x-made"), answer.header(b"content-type")) == (b"yes", b"text/csv")
    assert http.get("/stream").body == b"one,two"
    assert http.get("/").body == b"at /"
    assert http.get("/deep/er").body == b"at /deep/er"
    assert http.request("HEAD", "/text").answer().body == b""


def test_not_for_functions(http: Gateway) -> None:
    assert http.get("/robots.txt").status == 404
    assert http.get("/favicon.ico").status == 404


@pytest.mark.parametrize("path", ["/crash", "/none"])
def test_crash(http: Gateway, path: str) -> None:
    answer = http.get(path)
    assert (answer.status, answer.header(b"x-google-status")) == (500, b"crash")
    assert answer.body.startswith(b"500 Internal Server Error")


def test_error_handler(http: Gateway) -> None:
    answer = http.get("/handled")
    assert (answer.status, answer.body) == (418, b"handled planned")


CE = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t"), ("content-type", "application/json")]
OLD = {
    "context": {"eventId": "7", "timestamp": "2026-01-01T00:00:00Z", "eventType": "google.pubsub.topic.publish",
                "resource": {"service": "pubsub.googleapis.com", "name": "projects/p/topics/t", "type": "x"}},
    "data": {"data": "aGk="},
}  # fmt: skip


def got(instance: Instance, count: int) -> Any:
    """What the function printed on its `count`-th call."""
    lines: List[str] = []
    with instance.platform._lock:
        instance.platform._lock.wait_for(lambda: len([line for line in instance.log("stdout") if "GOT" in line]) >= count, 60)
    lines = [line for line in instance.log("stdout") if "GOT" in line]
    return json.loads(lines[count - 1].partition("GOT ")[2])


def test_cloud_event(platform: Platform, flavour: Dict[str, Any]) -> None:
    instance = start(platform, EVENTS, "on_event", logs=True, **flavour)
    with instance.connect() as gateway:
        answer = gateway.post("/any/path", b'{"a": 1}', CE)
        assert (answer.status, answer.body) == (200, b"OK")
        event = got(instance, 1)
        assert event["data"] == "{'a': 1}"
        assert event["attributes"]["source"] == "/s"
        structured = json.dumps({"specversion": "1.0", "id": "1", "source": "/s", "type": "u", "data": [1]}).encode()
        assert gateway.post("/", structured, [("content-type", "application/cloudevents+json")]).status == 200
        assert got(instance, 2)["type"] == "u"
        assert gateway.post("/", json.dumps(OLD).encode(), [("content-type", "application/json")]).status == 200
        event = got(instance, 3)
        assert event["type"] == "google.cloud.pubsub.topic.v1.messagePublished"
        assert event["attributes"]["source"] == "//pubsub.googleapis.com/projects/p/topics/t"
        for body, headers in (
            (b"{}", [("content-type", "application/json")]),
            (b"not json", []),
            (b"[]", [("content-type", "application/cloudevents-batch+json")]),
            (b"", CE[:2]),
        ):
            answer = gateway.post("/", body, headers)
            assert answer.status == 400, (body, answer)
        assert gateway.get("/").status == 405
        answer = gateway.post("/", b'"crash"', CE)
        assert (answer.status, answer.header(b"x-google-status")) == (500, b"crash")
    instance.wait_log("planned crash")


def test_background(platform: Platform, flavour: Dict[str, Any]) -> None:
    instance = start(platform, EVENTS, "background", logs=True, signature_type="event", **flavour)
    with instance.connect() as gateway:
        assert gateway.post("/", json.dumps(OLD).encode(), [("content-type", "application/json")]).body == b"OK"
        context: Any = OLD["context"]
        assert got(instance, 1) == [OLD["data"], "7", context["timestamp"], context["eventType"], context["resource"]]
        push = {"subscription": "s", "message": {"data": "aGk=", "messageId": "9", "publishTime": "now"}}
        assert gateway.post("/projects/p/topics/t", json.dumps(push).encode()).status == 200
        assert got(instance, 2)[4]["name"] == "projects/p/topics/t"
        headers = [
            ("ce-specversion", "1.0"),
            ("ce-id", "1"),
            ("ce-source", "//firebaseauth.googleapis.com/projects/p"),
            ("ce-type", "google.firebase.auth.user.v1.created"),
            ("ce-time", "then"),
            ("ce-subject", "users/u"),
            ("content-type", "application/json"),
        ]
        assert gateway.post("/", b'{"metadata": {"createTime": "c"}}', headers).status == 200
        assert got(instance, 3) == [
            {"metadata": {"createdAt": "c"}}, "1", "then", "providers/firebase.auth/eventTypes/user.create", "projects/p",
        ]  # fmt: skip
        assert gateway.post("/", b"not json").status == 400
        answer = gateway.get("/")
        assert (answer.status, answer.body) == (200, b"")
        assert gateway.get("/other").status == 405


@pytest.mark.parametrize("target", ["double", "double2"])
def test_typed(platform: Platform, flavour: Dict[str, Any], target: str) -> None:
    with start(platform, EVENTS, target, **flavour).connect() as gateway:
        assert gateway.post("/", b'{"size": 21}').json() == {"size": 42}
        assert gateway.post("/", b"{}").status == 400
        assert gateway.post("/", b"not json").status == 400
        assert gateway.get("/").status == 405
        if target == "double":
            answer = gateway.post("/", b'{"size": 0}')
            assert (answer.status, answer.body) == (200, b"")
            assert gateway.post("/", b'{"size": 1}').body == b"plain"
            for size in (2, 3):
                answer = gateway.post("/", b'{"size": %d}' % size)
                assert (answer.status, answer.header(b"x-google-status")) == (500, b"crash")


def test_aio(platform: Platform, flavour: Dict[str, Any]) -> None:
    instance = start(platform, AIO, "hello", logs=True, **flavour)
    with instance.connect() as gateway:
        assert gateway.get("/args?q=a%20b", [("x-thing", "t")]).json() == {"method": "GET", "q": "a b", "h": "t", "id": 12}
        assert gateway.post("/json", b'{"a": 1}').json() == {"json": {"a": 1}, "body": '{"a": 1}'}
        assert gateway.post("/stream", b"abc").json() == {"size": 3}
        answer = gateway.get("/tuple")
        assert (answer.status, answer.json()) == (201, {"made": True})
        answer = gateway.get("/text")
        assert (answer.status, answer.body) == (202, b"text")
        assert gateway.get("/none").status == 500
        answer = gateway.get("/crash")
        assert (answer.status, answer.body, answer.header(b"x-google-status")) == (500, b"Internal Server Error", b"crash")
        instance.wait_log("planned crash")
        assert gateway.get("/deep/er").body == b"at er"
        assert gateway.get("/robots.txt").status == 404
        assert gateway.request("BREW", "/").answer().status == 405


def test_aio_on_a_thread(platform: Platform, flavour: Dict[str, Any]) -> None:
    with start(platform, AIO, "sync", **flavour).connect() as gateway:
        assert gateway.get("/").body == b"on a thread"


def test_aio_cloud_event(platform: Platform, flavour: Dict[str, Any]) -> None:
    instance = start(platform, AIO, "on_event", logs=True, **flavour)
    with instance.connect() as gateway:
        assert gateway.post("/", b'{"a": 1}', CE).body == b"OK"
        assert got(instance, 1) == ["t", {"a": 1}]
        assert gateway.post("/", b"{}").status == 400
        assert gateway.get("/").status == 405


def test_aio_undecorated(platform: Platform, flavour: Dict[str, Any]) -> None:
    with start(platform, AIO, "undecorated", **flavour).connect() as gateway:
        assert gateway.get("/").body == b"async without a decorator"


SIGNATURES = """
import functions_framework, json, os


def show(request):
    names = ("FUNCTION_TARGET", "FUNCTION_SIGNATURE_TYPE", "K_SERVICE", "K_REVISION", "K_CONFIGURATION")
    return {name: os.environ.get(name) for name in names}


@functions_framework.http
def decorated(request):
    return show(request)


def two(data, context):
    print("GOT " + json.dumps(data), flush=True)


def one(cloud_event):
    print("GOT " + json.dumps(cloud_event.data), flush=True)
"""


def test_environment(platform: Platform, flavour: Dict[str, Any]) -> None:
    with start(platform, SIGNATURES, "show", **flavour).connect() as gateway:
        assert gateway.get("/").json() == {
            "FUNCTION_TARGET": "show",
            "FUNCTION_SIGNATURE_TYPE": "http",
            "K_SERVICE": "shop",
            "K_REVISION": "shop-1",
            "K_CONFIGURATION": "shop",
        }


def test_the_decorator_comes_first(platform: Platform) -> None:
    options: Dict[str, Any] = {"signature_type": "cloudevent", "environ": {"FUNCTION_SIGNATURE_TYPE": "event"}, **BARE}
    with start(platform, SIGNATURES, "decorated", **options).connect() as gateway:
        assert gateway.get("/").json()["FUNCTION_SIGNATURE_TYPE"] == "http"


def test_then_the_option_then_the_environment(platform: Platform) -> None:
    environ = {"FUNCTION_SIGNATURE_TYPE": "event"}
    with start(platform, SIGNATURES, "one", signature_type="cloudevent", environ=environ, **BARE).connect() as gateway:
        assert gateway.post("/", b"5", CE).status == 200
    with start(platform, SIGNATURES, "show", interface="function", environ=environ, **BARE).connect() as gateway:
        assert gateway.get("/x").status == 405


def test_then_the_parameters(platform: Platform) -> None:
    instance = start(platform, SIGNATURES, "two", interface="function", logs=True, **BARE)
    with instance.connect() as gateway:
        assert gateway.post("/", json.dumps(OLD).encode()).status == 200
        assert got(instance, 1) == OLD["data"]
    with start(platform, SIGNATURES, "one", interface="function", **BARE).connect() as gateway:
        assert gateway.post("/", b"5", CE).status == 200


def test_target_option(platform: Platform) -> None:
    platform.write("main.py", SIGNATURES)
    with platform.start("main.py", target="show", interface="function", **BARE).connect() as gateway:
        assert gateway.get("/").json()["FUNCTION_TARGET"] == "show"


@pytest.mark.parametrize(
    ("target", "signature", "reason"),
    [("show", "queue", "'queue' is no signature type"), ("show", "typed", "input type of the typed function show")],
)
def test_refused(platform: Platform, target: str, signature: str, reason: str) -> None:
    failed = platform.fail(f"main.py:{target}", SIGNATURES, interface="function", signature_type=signature, **BARE)
    assert (failed["stage"], failed["code"]) == ("import", "signature-type-invalid")
    assert reason in failed["message"]


def test_asynchronous_background_functions_are_refused(platform: Platform) -> None:
    failed = platform.fail("main.py:undecorated", AIO, interface="function", signature_type="event", **BARE)
    assert "cannot be asynchronous" in failed["message"]


def test_log_execution_id(platform: Platform, flavour: Dict[str, Any]) -> None:
    source = """
    def hello(request):
        print("noted")
        print('{"severity": "INFO", "message": "structured"}')
        return "x"
    """
    instance = start(platform, source, "hello", logs=True, environ={"LOG_EXECUTION_ID": "true"}, **flavour)
    with instance.connect() as gateway:
        trace = "105445aa7843bc8bf206b12000100000/1;o=1"
        assert gateway.get("/", [("function-execution-id", "abc"), ("x-cloud-trace-context", trace)]).status == 200
    labels = {"logging.googleapis.com/labels": {"execution_id": "abc"}, "logging.googleapis.com/spanId": "1"}
    line = instance.wait_log("noted", "stdout").rpartition("\x1f")[2]
    assert json.loads(line) == {"message": "noted", **labels}
    line = instance.wait_log("structured", "stdout").rpartition("\x1f")[2]
    assert json.loads(line) == {"severity": "INFO", "message": "structured", **labels}


def test_create_app_of_the_stand_in(platform: Platform) -> None:
    """`functions_framework.create_app`, which tests of functions call."""
    import subprocess

    platform.write("main.py", HTTP)
    code = f"""
import sys
sys.path.insert(0, {sys.path[0]!r}); sys.path.append({str(ENTRY).rpartition("/headrace/")[0]!r})
from headrace.functions import compat
compat.offer()
import functions_framework
app = functions_framework.create_app("hello", "main.py")
seen = []
body = app({{"REQUEST_METHOD": "GET", "PATH_INFO": "/text", "wsgi.url_scheme": "http", "SERVER_NAME": "x"}},
           lambda status, headers: seen.append(status))
print(seen[0], b"".join(body).decode())
"""
    out = subprocess.run([sys.executable, "-S", "-c", code], cwd=platform.folder, capture_output=True, check=True)
    assert out.stdout.decode() == "200 OK text \u20ac\n"
