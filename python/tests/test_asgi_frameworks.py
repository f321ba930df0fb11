"""Frameworks as people use them: Starlette, FastAPI, Quart, Django, ASGI 2, anyio."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
from harness import Platform

from headrace.worker import frames as f

LOOPS = ["asyncio", "uvloop"] if importlib.util.find_spec("uvloop") else ["asyncio"]

FASTAPI = """
import asyncio, contextlib, sys, time
import anyio
from fastapi import BackgroundTasks, FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse, FileResponse, PlainTextResponse
from pydantic import BaseModel

@contextlib.asynccontextmanager
async def lifespan(app):
    async with anyio.create_task_group():
        yield {"answer": 42}
    print("lifespan over", file=sys.stderr, flush=True)

app = FastAPI(lifespan=lifespan)

@app.middleware("http")
async def mark(request, call_next):
    response = await call_next(request)
    response.headers["x-middleware"] = "yes"
    return response

class Item(BaseModel):
    name: str

@app.get("/")
async def index(request: Request):
    return {"answer": request.state.answer, "client": request.client.host}

@app.post("/items")
def create(item: Item):
    return {"got": item.name, "loop": anyio.from_thread.run(name)}

async def name():
    return type(asyncio.get_running_loop()).__module__.split(".")[0]

@app.get("/stream")
async def stream():
    async def parts():
        for number in range(3):
            await asyncio.sleep(0)
            yield f"{number};"
    return StreamingResponse(parts())

@app.get("/endless")
async def endless():
    async def parts():
        try:
            while True:
                yield b"x" * 1000
                await asyncio.sleep(0)
        finally:
            print("endless is over", file=sys.stderr, flush=True)
    return StreamingResponse(parts())

@app.get("/collect")
async def collect():
    import gc
    return gc.collect() >= 0

@app.get("/background")
async def background(tasks: BackgroundTasks):
    tasks.add_task(lambda: print("background ran", file=sys.stderr, flush=True))
    return "ok"

@app.get("/file")
async def file():
    return FileResponse(__file__)

@app.get("/group")
async def group():
    found = []
    async def one(number):
        await anyio.sleep(0)
        found.append(number)
    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(one, number)
    with anyio.move_on_after(0.001) as scope:
        await anyio.sleep(60)
    assert scope.cancelled_caught and asyncio.current_task() is not None
    return sorted(found)

BUSY = []

@app.get("/thread")
def thread():
    BUSY.append(1)
    deadline = time.monotonic() + 30
    while len(BUSY) < 60 and time.monotonic() < deadline:
        time.sleep(0.001)
    return len(BUSY)

@app.get("/error")
async def error():
    raise ValueError("an odd failure")

@app.websocket("/ws")
async def ws(socket: WebSocket):
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text.upper())
"""


@pytest.mark.parametrize("loop", LOOPS)
def test_fastapi(platform: Platform, loop: str) -> None:
    pytest.importorskip("fastapi")
    instance = platform.start("main.py", FASTAPI, loop=loop, lifespan="on", logs=True, concurrency=64)
    assert instance.wait("ready")["interface"] == "asgi"
    with instance.connect() as gateway:
        answer = gateway.get("/")
        assert answer.json() == {"answer": 42, "client": "192.0.2.7"}
        assert answer.header(b"x-middleware") == b"yes"
        answer = gateway.post("/items", b'{"name": "tea"}', [("content-type", "application/json")])
        assert answer.json() == {"got": "tea", "loop": loop}
        assert gateway.post("/items", b"{}", [("content-type", "application/json")]).status == 422
        assert gateway.get("/stream").body == b"0;1;2;"
        assert gateway.get("/group").json() == [0, 1, 2]
        assert gateway.get("/background").body == b'"ok"'
        instance.wait_log("background ran")
        answer = gateway.get("/file")
        assert answer.file is not None and answer.file.endswith(b"/main.py")
        stream = gateway.request("GET", "/endless")
        stream.expect(f.RESPONSE)
        stream.reset()
        while not stream.next().done:
            pass
        assert gateway.get("/collect").body == b"true", "an abandoned generator is closed when it is collected"
        instance.wait_log("endless is over")
        assert not [line for line in instance.log() if "Traceback" in line]
        assert gateway.get("/error").status == 500
        assert gateway.websocket("/nowhere").answer().status == 403
        socket = gateway.websocket("/ws")
        socket.expect(f.WS_ACCEPT)
        socket.text("shout")
        assert socket.expect(f.WS_MESSAGE).payload == b"SHOUT"
        gateway.send(f.close(socket.number, 1000, ""))
        socket.expect_done()
    assert instance.stop() == 0
    instance.wait_log("lifespan over")


def test_plain_functions_get_as_many_threads_as_there_are_slots(platform: Platform) -> None:
    pytest.importorskip("fastapi")
    instance = platform.start("main.py", FASTAPI, concurrency=60)
    with instance.connect() as gateway:
        streams = [gateway.request("GET", "/thread") for _ in range(60)]
        for stream in streams:
            assert stream.answer().body == b"60"
        instance.tell("stats")
        assert instance.wait("stats")["threads"] == 60
    assert instance.stop() == 0


def test_starlette_without_lifespan_state(platform: Platform) -> None:
    pytest.importorskip("starlette")
    source = """
    import asyncio
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Mount, Route
    async def show(request):
        return JSONResponse({"path": request.url.path, "root": request.scope["root_path"], "route": request.path_params["name"]})
    async def disconnected(request):
        while not await request.is_disconnected():
            await asyncio.sleep(0.001)
        print("disconnected was seen", flush=True)
        return JSONResponse("too late")
    site = Starlette(routes=[Route("/disconnected", disconnected), Mount("/sub", routes=[Route("/show/{name}", show)])])
    """
    instance = platform.start("main.py", source, root_path="/api", logs=True)
    with instance.connect() as gateway:
        for target in ("/sub/show/x", "/api/sub/show/x"):
            assert gateway.get(target).json() == {"path": "/api/sub/show/x", "root": "/api/sub", "route": "x"}
        stream = gateway.request("GET", "/disconnected")
        stream.reset()
        stream.expect_done()
        instance.wait_log("disconnected was seen", "stdout")
    assert instance.stop() == 0


def test_quart(platform: Platform) -> None:
    pytest.importorskip("quart")
    source = """
    from quart import Quart, request, websocket
    app = Quart(__name__)

    @app.post("/echo")
    async def echo():
        return await request.get_data(), 201, {"x-a": "1"}

    @app.get("/stream")
    async def stream():
        async def parts():
            yield b"a"
            yield b"b"
        return parts()

    @app.websocket("/ws")
    async def ws():
        while True:
            await websocket.send(await websocket.receive())
    """
    instance = platform.start("main.py", source, lifespan="on", logs=True)
    with instance.connect() as gateway:
        answer = gateway.post("/echo", b"data" * 1000)
        assert (answer.status, answer.body, answer.header(b"x-a")) == (201, b"data" * 1000, b"1")
        assert gateway.get("/stream").body == b"ab"
        assert gateway.get("/nowhere").status == 404
        socket = gateway.websocket("/ws")
        socket.expect(f.WS_ACCEPT)
        socket.text("hi")
        assert socket.expect(f.WS_MESSAGE).payload == b"hi"
        gateway.send(f.close(socket.number, 1001, ""))
        socket.expect_done()
    assert instance.stop() == 0


def test_django(platform: Platform) -> None:
    pytest.importorskip("django")
    source = """
    import django
    from django.conf import settings
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", DEBUG=False)
    django.setup()
    from django.core.asgi import get_asgi_application
    from django.http import HttpResponse, StreamingHttpResponse, JsonResponse
    from django.urls import path

    def sync(request):
        return JsonResponse({"path": request.path, "q": request.GET["q"], "ip": request.META["REMOTE_ADDR"]})

    async def upload(request):
        return HttpResponse(str(len(request.body)))

    async def stream(request):
        async def parts():
            yield "a"
            yield "b"
        return StreamingHttpResponse(parts())

    from django.views.decorators.csrf import csrf_exempt
    urlpatterns = [path("sync", sync), path("upload", csrf_exempt(upload)), path("stream", stream)]
    application = get_asgi_application()
    """
    instance = platform.start("project.py", source, logs=True)
    with instance.connect() as gateway:
        assert gateway.get("/sync?q=%20", [("host", "h")]).json() == {"path": "/sync", "q": " ", "ip": "192.0.2.7"}
        assert gateway.post("/upload", b"x" * 30000, [("host", "h")]).body == b"30000"
        assert gateway.get("/stream", [("host", "h")]).body == b"ab"
        assert gateway.get("/none", [("host", "h")]).status == 404
    assert instance.stop() == 0
    assert not [line for line in instance.log() if "Traceback" in line]


def test_asgi2(platform: Platform) -> None:
    source = """
    class App:
        def __init__(self, scope):
            assert scope["type"] == "http"
            self.scope = scope

        async def __call__(self, receive, send):
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": self.scope["path"].encode()})

    app = App

    def function(scope):
        async def inner(receive, send):
            await App(scope)(receive, send)
        return inner
    """
    for target in ("main.py:app", "main.py:function"):
        instance = platform.start(target, source, interface="asgi", logs=True)
        with instance.connect() as gateway:
            assert gateway.get("/double").body == b"/double"
        assert instance.stop() == 0
        assert not [line for line in instance.log() if "Traceback" in line]


def test_task_factories_are_respected(platform: Platform) -> None:
    source = """
    import asyncio
    MADE = []

    def factory(loop, coroutine, **more):
        task = asyncio.Task(coroutine, loop=loop, **more)
        MADE.append(task)
        return task

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            asyncio.get_running_loop().set_task_factory(factory)
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        assert asyncio.current_task() is MADE[-1]
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"ours"})
    """
    instance: Any = platform.start("main.py", source, lifespan="on")
    with instance.connect() as gateway:
        assert gateway.get("/").body == b"ours"
    assert instance.stop() == 0
