"""Functions as a WSGI app on Flask: what `functions_framework.create_app` makes."""

from __future__ import annotations

import os
import sys
from typing import Any, Callable, Dict, Iterable, List, Tuple

from . import execution, handlers
from .errors import BadRequest
from .registry import CLOUD_EVENT, EVENT, HTTP, Function

STATUS_HEADER = "X-Google-Status"
CRASH = "crash"

Registered = List[Tuple[Any, Callable[..., Any]]]


def make(function: Function, error_handlers: Registered) -> Callable[..., Iterable[bytes]]:
    """The app. error_handlers: what `@functions_framework.errorhandler` was given: a code or an exception, and a handler."""
    import flask
    from werkzeug.routing import Rule

    app = flask.Flask(function.target, template_folder=os.path.join(_folder(function.call), "templates"))
    app.register_error_handler(500, _crash)
    for what, handler in error_handlers:
        app.register_error_handler(what, handler)
    if os.environ.get("ENTRY_POINT"):
        vars(app)["make_response"] = _none_is_ok(app.make_response)
    methods = None if function.signature == HTTP else ["POST"]
    app.url_map.add(Rule("/", defaults={"path": ""}, endpoint="run", methods=methods))
    app.url_map.add(Rule("/<path:path>", endpoint="run", methods=methods))
    app.view_functions["run"] = _view(function)
    if function.signature == HTTP:
        for name in ("/robots.txt", "/favicon.ico"):
            app.url_map.add(Rule(name, endpoint="none"))
        app.view_functions["none"] = _not_found
    elif function.signature == EVENT:
        app.url_map.add(Rule("/", endpoint="get", methods=["GET"]))
        app.view_functions["get"] = _nothing
    wsgi_app = app.wsgi_app

    def with_id(environ: Dict[str, Any], start_response: Any) -> Any:
        if not environ.get(execution.ENVIRON):
            environ[execution.ENVIRON] = execution.new_id()
        return wsgi_app(environ, start_response)

    app.wsgi_app = with_id  # type: ignore[method-assign]
    return app


def _view(function: Function) -> Callable[..., Any]:
    from flask import abort, request

    if function.signature == HTTP:
        call = function.call

        def http(path: str) -> Any:
            execution.enter(request.headers.get(execution.TRACE), request.headers[execution.HEADER])
            return call(request._get_current_object())  # type: ignore[attr-defined]

        return http
    if function.signature == CLOUD_EVENT:
        handle = handlers.cloud_event(function)
    else:
        handle = handlers.background(function) if function.signature == EVENT else handlers.typed(function)

    def post(path: str) -> Any:
        execution.enter(request.headers.get(execution.TRACE), request.headers[execution.HEADER])
        try:
            headers = {name.lower(): value for name, value in request.headers}
            return handle(headers, request.get_data(), request.path)
        except BadRequest as error:
            abort(400, description=str(error))

    return post


def _crash(error: Exception) -> Any:
    return str(error), 500, {STATUS_HEADER: CRASH}


def _not_found() -> Any:
    from flask import abort

    abort(404, description="Not Found")


def _nothing() -> str:
    return ""


def _none_is_ok(make_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The Python 3.7 runtime of Cloud Functions, which sets ENTRY_POINT, took None for "OK"."""

    def respond(value: Any) -> Any:
        return make_response("OK" if value is None else value)

    return respond


def _folder(call: Callable[..., Any]) -> str:
    module = sys.modules.get(getattr(call, "__module__", ""))
    return os.path.dirname(os.path.abspath(getattr(module, "__file__", None) or "main.py"))
