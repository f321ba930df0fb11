"""Makes the environ of PEP 3333 out of a REQUEST frame.

The payload is decoded once, as latin-1, so that every value is the "native string" that the PEP asks for.
"""

from __future__ import annotations

import socket
import sys
from typing import Any
from urllib.parse import unquote

from . import frames

Environ = dict[str, Any]

FIELDS = 6
"""Fields of a REQUEST before the header pairs: method, target, peers, request id, timeout, tls."""

_MOST_NAMES = 2048
_LONGEST_NAME = 64
_names: dict[str, str | None] = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
_PROTOCOLS = {0: "HTTP/1.1", frames.FLAG_HTTP10: "HTTP/1.0", frames.FLAG_HTTP2: "HTTP/2.0"}
_VERSIONS = frames.FLAG_HTTP10 | frames.FLAG_HTTP2


def split(payload: bytes) -> list[str]:
    """The fields of a REQUEST payload. Raises ProtocolError when their number is impossible."""
    fields = payload.decode("latin-1").split("\0")
    if len(fields) < FIELDS or len(fields) % 2:
        raise frames.ProtocolError(f"a REQUEST of {len(fields)} fields")
    return fields


class EnvironMaker:
    """Makes environs. `root_path` becomes SCRIPT_NAME; `concurrency` says whether wsgi.multithread is true.

    wsgi.multiprocess is always true: the platform may run another instance of the app at any time.
    """

    def __init__(self, root_path: str, concurrency: int) -> None:
        root = "/" + root_path.strip("/") if root_path.strip("/") else ""
        self._root = root.encode("utf-8").decode("latin-1")
        self._base: Environ = {
            "SCRIPT_NAME": self._root,
            "REMOTE_ADDR": "",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.multithread": concurrency > 1,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
        }

    def make(self, fields: list[str], flags: int) -> Environ:
        """The environ of one request, without wsgi.input. The caller adds what depends on the stream."""
        environ = self._base.copy()
        environ["REQUEST_METHOD"] = fields[0]
        target = fields[1]
        environ["REQUEST_URI"] = environ["RAW_URI"] = target
        path, _, query = target.partition("?")
        environ["QUERY_STRING"] = query
        if path[:1] != "/":
            path = _path_of(path)
        if "%" in path:
            path = unquote(path, "latin-1")
        root = self._root
        if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("/", ""):
            path = path[len(root) :]
        environ["PATH_INFO"] = path
        environ["SERVER_PROTOCOL"] = _PROTOCOLS.get(flags & _VERSIONS, "HTTP/1.1")
        environ["headrace.request_id"] = fields[3]
        environ["wsgi.errors"] = sys.stderr
        if flags & frames.FLAG_TLS:
            environ["wsgi.url_scheme"] = "https"
            environ["HTTPS"] = "on"
        _add_headers(environ, fields)
        _add_peers(environ, fields[2])
        return environ


def _path_of(target: str) -> str:
    """The path of a target that is not in origin form: absolute (`http://host/path`), asterisk or authority."""
    _, found, rest = target.partition("://")
    if not found:
        return ""
    slash = rest.find("/")
    return rest[slash:] if slash >= 0 else "/"


def _add_headers(environ: Environ, fields: list[str]) -> None:
    names = _names
    pairs = iter(fields[FIELDS:])
    for name, value in zip(pairs, pairs):
        try:
            key = names[name]
        except KeyError:
            key = _key(name)
        if key is None:
            continue
        if key in environ:
            if key == "CONTENT_LENGTH":
                continue
            value = environ[key] + ("; " if key == "HTTP_COOKIE" else ",") + value
        environ[key] = value


def _key(name: str) -> str | None:
    """The environ key of a header, None for one that is left out.

    `x_real_ip` and `x-real-ip` would meet in one key, and only one of them is checked by proxies: the underscore loses.
    """
    key = None if "_" in name else "HTTP_" + name.upper().replace("-", "_")
    if len(_names) < _MOST_NAMES and len(name) <= _LONGEST_NAME:
        _names[name] = key
    return key


def _add_peers(environ: Environ, peers: str) -> None:
    parts = peers.split(" ")
    if len(parts) != 4:
        raise frames.ProtocolError("a REQUEST whose peers are not four fields")
    client, client_port, server, port = parts
    if client:
        environ["REMOTE_ADDR"] = client
        environ["REMOTE_PORT"] = client_port
    if not server or server[0] == "/" or port in ("", "0"):
        # A Unix socket has no name and port; the client's own idea of them is the best there is.
        host, _, given = environ.get("HTTP_HOST", "").rpartition(":")
        if not given.isdigit():
            host, given = environ.get("HTTP_HOST", ""), ""
        server = host or socket.gethostname()
        port = given or ("443" if environ["wsgi.url_scheme"] == "https" else "80")
    environ["SERVER_NAME"] = server
    environ["SERVER_PORT"] = port
