"""Functions as an ASGI app: what `functions_framework.aio` makes. On Starlette's requests and responses where it is
installed, else on the small ones of aio_request.py."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import sys
import traceback
from typing import Any, Awaitable, Callable, Dict, List, Optional

from . import aio_request, events, execution, handlers
from .errors import BadRequest
from .http import CRASH, STATUS_HEADER
from .registry import HTTP, Function

Scope = Dict[str, Any]
Receive = Callable[[], Awaitable[Dict[str, Any]]]
Send = Callable[[Dict[str, Any]], Awaitable[None]]

_METHODS = ("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH")
_MISSING = ("/robots.txt", "/favicon.ico")


class App:
    """The ASGI app of one function."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._call = _asynchronous(function.call)
        self._make_event = handlers.event_class()
        self._make_request, self._make_response, self._http_exception = _framework()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or live through the lifespan."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
            return
        started = False

        async def watched(message: Dict[str, Any]) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            request = self._make_request(_with_id(scope), receive)
            response = await self._answer(scope, request)
            await response(scope, receive, watched)
        except Exception as error:
            if type(error).__name__ == "ClientDisconnect":
                return  # reading the body met the client's end
            if started:
                raise
            if self._http_exception is not None and isinstance(error, self._http_exception):
                response = self._make_response(error.detail, error.status_code, dict(error.headers or {}))  # type: ignore[attr-defined]
            else:
                text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
                print(f"Exception on {scope['path']} [{scope['method']}]\n{text}", end="", file=sys.stderr, flush=True)
                response = self._make_response("Internal Server Error", 500, {STATUS_HEADER: CRASH})
            await response(scope, receive, send)

    async def _answer(self, scope: Scope, request: Any) -> Any:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        execution.enter(headers.get(execution.TRACE), headers[execution.HEADER])
        is_http = self._function.signature == HTTP
        if scope["method"] not in (_METHODS if is_http else ("POST",)):
            return self._make_response("Method Not Allowed", 405, {"allow": ", ".join(_METHODS if is_http else ("POST",))})
        if is_http:
            if scope["path"] in _MISSING and scope["method"] in ("GET", "HEAD"):
                return self._make_response("Not Found", 404, {})
            return self._respond(await self._call(request))
        body = await request.body()
        try:
            event = self._make_event(*events.parse(headers, body))
        except BadRequest as error:
            return self._make_response(f"Bad Request: {error}", 400, {})
        await self._call(event)
        return self._make_response("OK", 200, {})

    def _respond(self, value: Any) -> Any:
        """The response to what the function returned: a response, text, bytes, a dict or list (JSON), or one with a status."""
        status = 200
        if isinstance(value, tuple) and len(value) == 2:
            value, status = value
        if isinstance(value, (str, bytes, dict, list)):
            return self._make_response(value, status, {})
        if value is None:
            return self._make_response("No response returned", 500, {})
        return value


def _asynchronous(call: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """`call` itself when it is a coroutine function, else on a thread, with the context of the caller."""
    plain = inspect.unwrap(call) if inspect.isfunction(call) else call
    if inspect.iscoroutinefunction(plain) or inspect.iscoroutinefunction(getattr(plain, "__call__", None)):  # noqa: B004
        return call

    async def on_thread(argument: Any) -> Any:
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, functools.partial(context.run, call, argument))

    return on_thread


def _with_id(scope: Scope) -> Scope:
    """The scope, with an execution id among its headers."""
    name = execution.HEADER.encode()
    headers: List[Any] = list(scope["headers"])
    scope["headers"] = headers
    if not any(key == name and value for key, value in headers):
        headers.append((name, execution.new_id().encode()))
    return scope


def _framework() -> "tuple[Callable[..., Any], Callable[..., Any], Optional[type]]":
    """How to make a request and a response, and the exception that is a response."""
    try:
        from starlette.exceptions import HTTPException
        from starlette.requests import Request
        from starlette.responses import JSONResponse, Response
    except ImportError:
        return aio_request.Request, aio_request.Response, None

    def respond(value: Any, status: int, headers: Dict[str, str]) -> Any:
        if isinstance(value, (dict, list)):
            return JSONResponse(value, status, headers)
        return Response(value, status, headers)

    return Request, respond, HTTPException


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
