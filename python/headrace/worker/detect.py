"""Tells ASGI apps, WSGI apps and plain functions apart: by their framework's class first, then by their signature."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any, List, Optional, Tuple

_ASGI = {
    ("starlette.applications", "Starlette"),
    ("starlette.routing", "Router"),
    ("fastapi.applications", "FastAPI"),
    ("quart.app", "Quart"),
    ("django.core.handlers.asgi", "ASGIHandler"),
    ("falcon.asgi.app", "App"),
    ("litestar.app", "Litestar"),
    ("blacksheep.server.application", "Application"),
    ("channels.routing", "ProtocolTypeRouter"),
    ("channels.routing", "URLRouter"),
    ("socketio.asgi", "ASGIApp"),
    ("engineio.async_drivers.asgi", "ASGIApp"),
    ("sanic.app", "Sanic"),
    ("emmett.core", "App"),
    ("asgiref.wsgi", "WsgiToAsgi"),
    ("a2wsgi.wsgi", "WSGIMiddleware"),
    ("connexion.apps.asynchronous", "AsyncApp"),
    ("connexion.apps.flask", "FlaskApp"),
}
_WSGI = {
    ("flask.app", "Flask"),
    ("flask.sansio.app", "App"),
    ("django.core.handlers.wsgi", "WSGIHandler"),
    ("falcon.app", "App"),
    ("bottle", "Bottle"),
    ("pyramid.router", "Router"),
    ("werkzeug.middleware.dispatcher", "DispatcherMiddleware"),
    ("werkzeug.middleware.proxy_fix", "ProxyFix"),
    ("tornado.wsgi", "WSGIContainer"),
    ("a2wsgi.asgi", "ASGIMiddleware"),
    ("cherrypy._cptree", "Application"),
    ("cherrypy._cptree", "Tree"),
    ("whitenoise.base", "WhiteNoise"),
    ("webob.dec", "wsgify"),
}
_ASGI_NAMES = ("scope", "receive", "send")
_WSGI_NAMES = ("environ", "env", "start_response", "start_resp")


def framework(app: Any) -> str:
    """ "asgi" or "wsgi" for an instance of a known framework's application class, else empty."""
    for base in type(app).__mro__:
        key = (base.__module__, base.__qualname__)
        if key in _ASGI:
            return "asgi"
        if key in _WSGI:
            return "wsgi"
    return ""


def instances(module: ModuleType) -> List[Tuple[str, Any]]:
    """The module's public attributes that are instances of known application classes, each object once."""
    found: List[Tuple[str, Any]] = []
    for label, value in vars(module).items():
        if not label.startswith("_") and framework(value) and not any(value is other for _, other in found):
            found.append((label, value))
    return found


def interface_of(app: Any) -> str:
    """ "asgi", "wsgi" or "function"; empty when nothing fits. Never calls the app."""
    known = framework(app)
    if known:
        return known
    if not callable(app):
        return ""
    names = _parameters(app)
    if names is None:
        return "asgi" if is_async(app) else "wsgi"
    count = positional(app)
    if count == 3:
        return "asgi"
    if count == 2:
        return "function" if is_async(app) or (not _reads_as(names, _WSGI_NAMES) and _is_event(names)) else "wsgi"
    if inspect.isclass(app):
        return "asgi" if count == 1 and _double(app) else ""
    if count == 1 or count == -1:
        return "asgi" if names[:1] == ["scope"] or _double(app) else "function"
    return ""


def is_double(app: Any) -> bool:
    """Whether an ASGI app is a double callable (ASGI 2): `app(scope)` returns the coroutine function."""
    if framework(app):
        return False
    if inspect.isclass(app):
        return True
    return positional(app) == 1 and not is_async(app)


def is_async(app: Any) -> bool:
    """Whether calling `app` returns an awaitable."""
    app = inspect.unwrap(app) if inspect.isfunction(app) else app
    while hasattr(app, "func") and hasattr(app, "keywords"):
        app = app.func
    if inspect.iscoroutinefunction(app):
        return True
    call = getattr(app, "__call__", None)  # noqa: B004
    return not inspect.isfunction(app) and inspect.iscoroutinefunction(call)


def positional(app: Any) -> int:
    """How many positional arguments a call needs at the most; -1 when any number, -2 when it cannot be told."""
    try:
        signature = inspect.signature(app)
    except (TypeError, ValueError):
        return -2
    count = 0
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            return -1
        named = parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        if named and (parameter.default is parameter.empty or count < 3):
            count += 1
    return count


def _parameters(app: Any) -> Optional[List[str]]:
    try:
        return list(inspect.signature(app).parameters)
    except (TypeError, ValueError):
        return None


def _reads_as(names: List[str], known: Tuple[str, ...]) -> bool:
    return any(name.lstrip("_") in known for name in names)


def _is_event(names: List[str]) -> bool:
    """Whether two parameters read as those of a background function (`data, context`) or of a Lambda handler."""
    return names[1].lstrip("_") in ("context", "ctx") or names[0].lstrip("_") in ("event", "data", "cloud_event")


def _double(app: Any) -> bool:
    call = getattr(app, "__call__", None)  # noqa: B004
    if not inspect.isclass(app) or call is None:
        return False
    names = _parameters(app.__call__) or []
    return len(names) == 3 and (_reads_as(names, _ASGI_NAMES) or inspect.iscoroutinefunction(app.__call__))
