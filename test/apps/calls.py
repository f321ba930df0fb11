"""Two services that call each other by name: `app` calls, `callee` tells what it was called with. Standard library only."""

import asyncio
import json
import os
import urllib.error
import urllib.request
from urllib.parse import parse_qsl

import headrace
from stage import Call


def fetch(url, headers):
    """Status, headers and body of a GET, whatever the status."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as response:
            return response.status, dict(response.headers), response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read().decode()


async def answer(send, value):
    body = json.dumps(value).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


async def app(scope, receive, send):
    """`/env`: what the platform has set. Else `?service=` and `?path=` are called, plainly or as `?how=` says.

    `?stage=` waits for the story's word before it calls.
    """
    if scope["type"] != "http":
        return
    asked = dict(parse_qsl(scope["query_string"].decode()))
    if scope["path"] == "/env":
        await answer(
            send,
            {
                key: value
                for key, value in os.environ.items()
                if key.startswith("HEADRACE_") and key.endswith("URL")
            },
        )
        return
    name, path = asked["service"], asked.get("path", "/")
    if "stage" in asked:
        call = await Call.begin(asked["stage"])
        await call.told()
        await call.end()
    if asked.get("how") == "host":
        url, headers = os.environ["HEADRACE_URL"] + path, {"Host": f"{name}.internal"}
    elif asked.get("how") == "plain":
        url, headers = headrace.service_url(name, path), {}
    else:
        url, headers = headrace.service_url(name, path), headrace.context_headers()
    status, fields, body = await asyncio.to_thread(fetch, url, headers)
    reason = fields.get("headrace-reason", "")
    await answer(
        send, {"status": status, "reason": reason, "body": json.loads(body) if status == 200 else body}
    )


async def callee(scope, receive, send):
    """What it was called with; `/stage` waits for the story's word first."""
    if scope["type"] != "http":
        return
    if scope["path"] == "/stage":
        call = await Call.begin("callee")
        try:
            await call.told()
        finally:
            await call.end()
    await answer(
        send,
        {
            "service": os.environ["K_SERVICE"],
            "path": scope["path"],
            "query": scope["query_string"].decode(),
            "headers": {name.decode(): value.decode() for name, value in scope["headers"]},
            "left": headrace.remaining(),
        },
    )


def function(request):
    """A function that calls the callee."""
    _, _, body = fetch(headrace.service_url("callee", "/from-function"), headrace.context_headers())
    return body
