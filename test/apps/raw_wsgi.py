"""A bare WSGI app with one path for every behaviour that the stories look at. Nothing but the standard library."""

import hashlib
import json
import os
import sys
from urllib.parse import parse_qsl
from wsgiref.validate import validator

from stage import SyncCall


def application(environ, start_response):
    return ROUTES.get(environ["PATH_INFO"], echo)(environ, start_response)


def query(environ):
    return dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))


def answer(start_response, body=b"", status="200 OK", kind="text/plain"):
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]


def echo(environ, start_response):
    """The environ as JSON."""
    body = environ["wsgi.input"].read()
    known = {key: value for key, value in environ.items() if isinstance(value, (str, bool, tuple))}
    text = json.dumps({"environ": known, "body": body.decode("latin-1"), "pid": os.getpid()})
    return answer(start_response, text.encode(), kind="application/json")


def hello(environ, start_response):
    return answer(start_response, b"Hello, world!")


def upload(environ, start_response):
    digest, size = hashlib.sha256(), 0
    while chunk := environ["wsgi.input"].read(65536):
        digest.update(chunk)
        size += len(chunk)
    text = json.dumps({"size": size, "sha256": digest.hexdigest()})
    return answer(start_response, text.encode(), kind="application/json")


def lines(environ, start_response):
    """Reads the body by lines, through each of the ways that PEP 3333 names."""
    stream = environ["wsgi.input"]
    first = stream.readline()
    some = stream.readlines(1)
    rest = list(stream)
    text = json.dumps([piece.decode() for piece in [first, *some, *rest]])
    return answer(start_response, text.encode(), kind="application/json")


class Streamed:
    """An iterable whose close() the story can see."""

    def __init__(self, count, call):
        self.count = count
        self.call = call

    def __iter__(self):
        for number in range(self.count):
            yield f"{number}\n".encode()
            if self.call.told() != "go":
                return

    def close(self):
        self.call.say("closed")
        self.call.end()


def streamed(environ, start_response):
    asked = query(environ)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Streamed(int(asked.get("count", "3")), SyncCall(asked["key"]))


def download(environ, start_response):
    size = int(query(environ)["size"])
    start_response("200 OK", [("Content-Length", str(size))])
    piece = bytes(65536)
    return (piece[: min(65536, size - at)] for at in range(0, size, 65536))


def write(environ, start_response):
    """The old imperative way: written bytes come before the iterable's."""
    put = start_response("200 OK", [("Content-Type", "text/plain")])
    put(b"written ")
    put(b"first, ")
    return [b"returned after"]


def second_thoughts(environ, start_response):
    """Changes its mind before anything was sent: exc_info replaces the first headers."""
    start_response("200 OK", [("X-First", "yes")])
    try:
        raise ValueError("on purpose")
    except ValueError:
        start_response("503 Second Thoughts", [("X-Second", "yes"), ("Content-Length", "6")], sys.exc_info())
    return [b"second"]


def wrapped(environ, start_response):
    """wsgi.file_wrapper from the middle of a file."""
    asked = query(environ)
    file = open(asked["path"], "rb")  # noqa: SIM115 -- the server closes it
    file.seek(int(asked.get("from", "0")))
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return environ["wsgi.file_wrapper"](file, 8192)


def stage(environ, start_response):
    asked = query(environ)
    call = SyncCall(asked["key"])
    word = call.told()
    call.end()
    return answer(start_response, f"{asked['key']} {word}".encode())


def raises(environ, start_response):
    raise RuntimeError("raised on purpose before the response")


def prints(environ, start_response):
    print("printed by", query(environ)["key"])
    environ["wsgi.errors"].write(f"complained by {query(environ)['key']}\n")
    return answer(start_response, b"printed")


def status(environ, start_response):
    code = query(environ)["code"]
    start_response(f"{code} Asked For", [("X-Kind", "status")])
    return [] if code in ("204", "304") else [b"with a body"]


ROUTES = {
    "/download": download,
    "/hello": hello,
    "/lines": lines,
    "/prints": prints,
    "/raises": raises,
    "/second-thoughts": second_thoughts,
    "/stage": stage,
    "/status": status,
    "/streamed": streamed,
    "/upload": upload,
    "/wrapped": wrapped,
    "/write": write,
}


def _strict(environ, start_response):
    """Reads its body with one argument, as wsgiref.validate asks."""
    size = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(size)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body) + 6))])
    return [b"valid ", body]


validated = validator(_strict)
