"""Functions as a WSGI app where Flask is not installed: the documented common part of what functions-framework offers."""

from __future__ import annotations

import json
import sys
import traceback
from http import HTTPStatus
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

from . import execution, handlers
from .errors import BadRequest
from .http import CRASH, STATUS_HEADER
from .plain_request import Request
from .registry import CLOUD_EVENT, EVENT, HTTP, Function

Headers = List[Tuple[str, str]]
Registered = List[Tuple[Any, Callable[..., Any]]]

_TEXT = "text/html; charset=utf-8"
_MISSING = ("/robots.txt", "/favicon.ico")
_REASONS = {status.value: status.phrase for status in HTTPStatus}


def make(function: Function, error_handlers: Registered) -> Callable[..., Iterable[bytes]]:
    """The app. error_handlers: what `@functions_framework.errorhandler` was given: a code or an exception, and a handler."""
    if function.signature == HTTP:
        handle: Optional[handlers.Handler] = None
    elif function.signature == CLOUD_EVENT:
        handle = handlers.cloud_event(function)
    else:
        handle = handlers.background(function) if function.signature == EVENT else handlers.typed(function)

    def app(environ: Dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not environ.get(execution.ENVIRON):
            environ[execution.ENVIRON] = execution.new_id()
        request = Request(environ)
        try:
            execution.enter(request.headers.get(execution.TRACE), environ[execution.ENVIRON])
            status, headers, body = to_response(_answer(function, handle, request))
        except Exception as error:  # noqa: BLE001 (whatever the function raises)
            status, headers, body = _failed(error, request, error_handlers)
        reason = _REASONS.get(status, "Unknown")
        start_response(f"{status} {reason}", headers)
        return body

    return app


def _answer(function: Function, handle: Optional[handlers.Handler], request: Request) -> Any:
    if handle is None:
        if request.path in _MISSING:
            return _page(404), 404
        return function.call(request)
    if function.signature == EVENT and request.method in ("GET", "HEAD") and request.path == "/":
        return ""
    if request.method != "POST":
        return _page(405), 405, {"Allow": "POST"}
    try:
        return handle(request.headers, request.get_data(), request.path)
    except BadRequest as error:
        return _page(400, str(error)), 400


def to_response(value: Any) -> Tuple[int, Headers, Iterable[bytes]]:
    """Status, headers and body of what a function returned, by Flask's rules. Raises TypeError for anything else.

    Text, bytes, a dict or list (JSON), an iterator of text or bytes, or a tuple of one of these with a status, headers or both.
    """
    status = 200
    headers: Any = ()
    if isinstance(value, tuple):
        value, status, headers = _unpack(value)
    kind = _TEXT
    body: Iterable[bytes]
    if isinstance(value, str):
        body = [value.encode()]
    elif isinstance(value, (bytes, bytearray)):
        body = [bytes(value)]
    elif isinstance(value, (dict, list)):
        body, kind = [json.dumps(value).encode() + b"\n"], "application/json"
    elif hasattr(value, "__next__"):
        body = _encoded(value)
    else:
        raise TypeError(f"a function has to return text, bytes, a dict, a list or an iterator, not {type(value).__name__}")
    pairs = [(str(name), str(item)) for name, item in headers]
    if not any(name.lower() == "content-type" for name, _ in pairs):
        pairs.append(("Content-Type", kind))
    if isinstance(body, list) and not any(name.lower() == "content-length" for name, _ in pairs):
        pairs.append(("Content-Length", str(len(body[0]))))
    return status, pairs, body


def _unpack(value: "tuple[Any, ...]") -> "tuple[Any, int, Any]":
    status: Any = 200
    headers: Any = ()
    if len(value) == 3:
        value, status, headers = value
    elif len(value) == 2 and isinstance(value[1], (dict, list, tuple)):
        value, headers = value
    elif len(value) == 2:
        value, status = value
    else:
        raise TypeError("a function has to return (body, status, headers), (body, status) or (body, headers)")
    code = int(str(status).split(" ", 1)[0])
    pairs = headers.items() if hasattr(headers, "items") else headers or ()
    flat = [(name, item) for name, items in pairs for item in (items if isinstance(items, (list, tuple)) else [items])]
    return value, code, flat


def _encoded(parts: Any) -> Iterable[bytes]:
    try:
        for part in parts:
            yield part.encode() if isinstance(part, str) else part
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()


def _failed(error: Exception, request: Request, error_handlers: Registered) -> Tuple[int, Headers, Iterable[bytes]]:
    """The answer to an exception: that of the most specific error handler, else 500."""
    for what in [*type(error).__mro__, 500]:
        for registered, handler in error_handlers:
            if registered is what or registered == what:
                try:
                    return to_response(handler(error))
                except Exception as other:  # noqa: BLE001
                    error = other
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    print(f"Exception on {request.path} [{request.method}]\n{text}", end="", file=sys.stderr, flush=True)
    return to_response((f"500 Internal Server Error: {_explain(500)}", 500, {STATUS_HEADER: CRASH}))


def _explain(status: int) -> str:
    return HTTPStatus(status).description or HTTPStatus(status).phrase


def _page(status: int, text: str = "") -> str:
    phrase = HTTPStatus(status).phrase
    return f"<!doctype html>\n<title>{status} {phrase}</title>\n<h1>{phrase}</h1>\n<p>{_escape(text or _explain(status))}</p>\n"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
