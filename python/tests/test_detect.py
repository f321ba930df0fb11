"""Telling ASGI, WSGI and functions apart."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from headrace.worker import detect


async def asgi3(scope: Any, receive: Any, send: Any) -> None: ...


async def asgi3_any(*args: Any) -> None: ...


def asgi2(scope: Any) -> Any: ...


class Asgi2Class:
    def __init__(self, scope: Any) -> None: ...

    async def __call__(self, receive: Any, send: Any) -> None: ...


class Asgi3Object:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class Asgi3Middleware:
    def __call__(self, scope: Any, receive: Any, send: Any) -> Any: ...


class WsgiObject:
    def __call__(self, environ: Any, start_response: Any) -> Any: ...


def wsgi(environ: Any, start_response: Any) -> Any: ...


def wsgi_short(e: Any, s: Any) -> Any: ...


def http_function(request: Any) -> Any: ...


async def async_function(request: Any) -> Any: ...


def background(data: Any, context: Any) -> None: ...


def lambda_handler(event: Any, context: Any) -> None: ...


def factory() -> Any: ...


@pytest.mark.parametrize(
    ("app", "interface"),
    [
        (asgi3, "asgi"),
        (asgi2, "asgi"),
        (Asgi2Class, "asgi"),
        (Asgi3Object(), "asgi"),
        (Asgi3Middleware(), "asgi"),
        (functools.partial(asgi3), "asgi"),
        (Asgi3Object().__call__, "asgi"),
        (WsgiObject(), "wsgi"),
        (wsgi, "wsgi"),
        (wsgi_short, "wsgi"),
        (functools.partial(wsgi), "wsgi"),
        (http_function, "function"),
        (async_function, "function"),
        (background, "function"),
        (lambda_handler, "function"),
        (factory, ""),
        (3, ""),
    ],
)
def test_by_signature(app: Any, interface: str) -> None:
    assert detect.interface_of(app) == interface


def test_double_callables() -> None:
    assert detect.is_double(asgi2) and detect.is_double(Asgi2Class)
    assert not detect.is_double(asgi3) and not detect.is_double(Asgi3Object())
    assert not detect.is_double(asgi3_any)


def test_by_framework() -> None:
    starlette = pytest.importorskip("starlette.applications")
    assert detect.interface_of(starlette.Starlette()) == "asgi"
    fastapi = pytest.importorskip("fastapi")
    assert detect.interface_of(fastapi.FastAPI()) == "asgi"
    assert not detect.framework(fastapi.APIRouter)
    flask = pytest.importorskip("flask")
    assert detect.interface_of(flask.Flask("x")) == "wsgi"
    quart = pytest.importorskip("quart")
    assert detect.interface_of(quart.Quart("x")) == "asgi"
    handlers = pytest.importorskip("django.core.handlers.wsgi")
    assert detect.framework(object.__new__(handlers.WSGIHandler)) == "wsgi"
    handlers = pytest.importorskip("django.core.handlers.asgi")
    assert detect.framework(object.__new__(handlers.ASGIHandler)) == "asgi"
    assert detect.framework(flask.Blueprint("b", "x")) == ""
