"""Flask and Django on the WSGI worker: what they do with the parts of PEP 3333 that plain apps seldom use."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest
from harness import Platform

from headrace.worker import frames as f

FLASK = """
import os, time
from flask import Flask, Response, g, request, send_file, stream_with_context

app = Flask(__name__)
torn_down = []


@app.teardown_request
def teardown(error):
    torn_down.append(request.path)


@app.get("/file")
def file():
    return send_file(os.path.abspath("big"), mimetype="text/plain")


@app.get("/range")
def part():
    return send_file(os.path.abspath("big"), conditional=True)


@app.post("/upload")
def upload():
    return {"form": request.form, "file": request.files["f"].read().decode(), "name": request.files["f"].filename}


@app.put("/chunks")
def chunks():
    return str(len(request.get_data()))


@app.get("/stream")
def stream():
    def parts():
        for number in range(3):
            yield f"{request.args['name']} {number}\\n"
    return Response(stream_with_context(parts()), mimetype="text/plain")


@app.get("/crash")
def crash():
    raise ValueError("planned crash")


@app.get("/torn-down")
def seen():
    return torn_down


@app.get("/url")
def url():
    return [request.url, request.scheme, request.remote_addr, request.script_root, request.path]
"""

DJANGO = """
import os, django
from django.conf import settings
settings.configure(DEBUG=False, ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="x", MIDDLEWARE=[])
django.setup()
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

finished = []
request_finished.connect(lambda **_: finished.append(1), weak=False)


def echo(request):
    body = request.body.decode()
    return JsonResponse({"body": body, "path": request.path, "get": request.GET.dict(), "method": request.method})


def file(request):
    return FileResponse(open(os.path.abspath("big"), "rb"))


def stream(request):
    return StreamingHttpResponse(part for part in ["one,", "two"])


def count(request):
    return HttpResponse(str(len(finished)))


urlpatterns = [path("echo", echo), path("file", file), path("stream", stream), path("count", count)]
application = WSGIHandler()
"""


def need(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")


def big(platform: Platform) -> bytes:
    content = b"0123456789" * 50000
    Path(platform.folder, "big").write_bytes(content)
    return content


def test_flask(platform: Platform) -> None:
    need("flask")
    content = big(platform)
    instance = platform.start("main.py", FLASK, logs=True, table=True)
    assert instance.wait("ready")["interface"] == "wsgi"
    with instance.connect() as gateway:
        answer = gateway.get("/file")
        assert (answer.status, answer.file) == (200, os.fsencode(os.path.join(platform.folder, "big")))
        assert answer.header(b"content-length") == b"500000"
        answer = gateway.get("/range", [("range", "bytes=10-19")])
        assert (answer.status, answer.body, answer.file) == (206, content[10:20], None)
        boundary = "x" * 20
        body = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="f"; filename="n.txt"\r\n\r\nfile\r\n--{boundary}--\r\n'
        )
        kind = [("content-type", f"multipart/form-data; boundary={boundary}")]
        expected: Any = {"form": {"a": "1"}, "file": "file", "name": "n.txt"}
        assert gateway.post("/upload", body.encode(), kind).json() == expected
        stream = gateway.request("PUT", "/chunks", [("content-type", "x/y")], body=None)  # without a content-length
        for _ in range(4):
            stream.data(b"abc")
        stream.data(b"d", end=True)
        assert stream.answer().body == b"13"
        answer = gateway.get("/stream?name=n")
        assert answer.body == b"n 0\nn 1\nn 2\n"
        assert len([frame for frame in answer.frames if frame.type == f.DATA and frame.payload]) == 3
        assert gateway.get("/crash").status == 500
        assert "planned crash" in instance.wait_log("planned crash")
        url = gateway.get("/url?a=b", [("host", "shop.example")]).json()
        assert url == ["http://shop.example/url?a=b", "http", "192.0.2.7", "", "/url"]
        seen = gateway.get("/torn-down").json()
        assert {"/file", "/stream", "/upload", "/crash"} <= set(seen)


def test_django(platform: Platform) -> None:
    need("django")
    content = big(platform)
    instance = platform.start("main.py", DJANGO, table=True)
    assert instance.wait("ready")["interface"] == "wsgi"
    with instance.connect() as gateway:
        answer = gateway.post("/echo?x=%C3%A9", b"body")
        assert answer.json() == {"body": "body", "path": "/echo", "get": {"x": "\xe9"}, "method": "POST"}
        answer = gateway.get("/file")
        assert (answer.status, answer.file or answer.body) == (200, os.fsencode(os.path.join(platform.folder, "big")))
        assert answer.header(b"content-length") == str(len(content)).encode()
        assert gateway.get("/stream").body == b"one,two"
        assert gateway.get("/count").body == b"3"  # request_finished, which closes connections, came for each
