"""The request that functions get where Flask is not installed: the common part of flask.Request."""

from __future__ import annotations

import json
from http.cookies import CookieError, SimpleCookie
from typing import Any, Dict, Generic, Iterator, List, Mapping, Optional, Tuple, TypeVar
from urllib.parse import parse_qsl, quote

from .errors import BadRequest

T = TypeVar("T")


class MultiDict(Mapping[str, str]):
    """A mapping to the first value of each name; `getlist` has them all."""

    def __init__(self, pairs: List[Tuple[str, str]]) -> None:
        self._values: Dict[str, List[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> str:
        return self._values[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def get(self, name: str, default: Any = None, type: Any = None) -> Any:
        """The first value, converted by `type`; the default where there is none or it does not convert."""
        if name not in self._values:
            return default
        value = self._values[name][0]
        if type is None:
            return value
        try:
            return type(value)
        except (ValueError, TypeError):
            return default

    def getlist(self, name: str) -> List[str]:
        """All values of a name."""
        return list(self._values.get(name, ()))

    def to_dict(self, flat: bool = True) -> Dict[str, Any]:
        """A dict of the first values, or of lists of all with flat=False."""
        return {name: values[0] if flat else list(values) for name, values in self._values.items()}


class Headers(Mapping[str, str]):
    """Request headers, looked up in any case; iteration gives names like `Content-Type`."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._values: Dict[str, str] = {}
        for key, value in environ.items():
            if key.startswith("HTTP_"):
                self._values[key[5:].replace("_", "-").lower()] = value
            elif key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                self._values[key.replace("_", "-").lower()] = value

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return (name.title() for name in self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values


class _Cached(Generic[T]):
    """A property that is computed once."""

    def __init__(self, compute: Any) -> None:
        self._compute = compute
        self._name = compute.__name__

    def __get__(self, request: Any, owner: Any) -> Any:
        if request is None:
            return self
        value = request.__dict__[self._name] = self._compute(request)
        return value


class Request:
    """`form` holds urlencoded bodies; uploads of files need Flask."""

    def __init__(self, environ: Dict[str, Any]) -> None:
        self.environ = environ
        self.method: str = environ["REQUEST_METHOD"]
        self.scheme: str = environ["wsgi.url_scheme"]
        self.path: str = _text(environ.get("PATH_INFO") or "/")
        self.root_path: str = _text(environ.get("SCRIPT_NAME", ""))
        self.query_string: bytes = environ.get("QUERY_STRING", "").encode("latin-1")
        self.remote_addr: Optional[str] = environ.get("REMOTE_ADDR") or None
        self.host: str = environ.get("HTTP_HOST") or environ["SERVER_NAME"]
        self.is_secure = self.scheme == "https"
        self.headers = Headers(environ)
        self.content_type: Optional[str] = environ.get("CONTENT_TYPE")
        self.mimetype = (self.content_type or "").partition(";")[0].strip().lower()
        self.is_json = self.mimetype == "application/json" or (
            self.mimetype.startswith("application/") and self.mimetype.endswith("+json")
        )
        length = environ.get("CONTENT_LENGTH") or ""
        self.content_length: Optional[int] = int(length) if length.isdigit() else None
        self._body: Optional[bytes] = None

    @property
    def stream(self) -> Any:
        """The body, to be read once."""
        return self.environ["wsgi.input"]

    def get_data(self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False) -> Any:
        """The body, or as text."""
        if self._body is None:
            body: bytes = self.stream.read()
            if not cache:
                return body.decode("utf-8", "replace") if as_text else body
            self._body = body
        return self._body.decode("utf-8", "replace") if as_text else self._body

    @property
    def data(self) -> bytes:
        """The body, empty when it is a form."""
        return b"" if self.mimetype == "application/x-www-form-urlencoded" else bytes(self.get_data())

    @property
    def json(self) -> Any:
        """As get_json()."""
        return self.get_json()

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """The decoded body. Not JSON: None with `silent`, else BadRequest."""
        if not force and not self.is_json:
            if silent:
                return None
            raise BadRequest("the request's content-type is not application/json")
        try:
            return json.loads(self.get_data(cache=cache))
        except ValueError as error:
            if silent:
                return None
            raise BadRequest(f"the request's body is not JSON: {error}") from None

    @_Cached
    def args(self) -> MultiDict:
        """The fields of the query."""
        return MultiDict(parse_qsl(self.query_string.decode("utf-8", "replace"), keep_blank_values=True))

    @_Cached
    def form(self) -> MultiDict:
        """The fields of an urlencoded body."""
        if self.mimetype != "application/x-www-form-urlencoded":
            return MultiDict([])
        return MultiDict(parse_qsl(self.get_data(as_text=True), keep_blank_values=True))

    @_Cached
    def values(self) -> MultiDict:
        """The fields of the query, then those of the form."""
        return MultiDict([(name, value) for part in (self.args, self.form) for name in part for value in part.getlist(name)])

    @_Cached
    def cookies(self) -> MultiDict:
        """The cookies of the request."""
        jar: SimpleCookie = SimpleCookie()
        try:
            jar.load(self.environ.get("HTTP_COOKIE", ""))
        except CookieError:
            pass
        return MultiDict([(name, morsel.value) for name, morsel in jar.items()])

    @property
    def base_url(self) -> str:
        """The URL without its query."""
        return f"{self.scheme}://{self.host}{self.root_path}{quote(self.path)}"

    @property
    def url(self) -> str:
        """The URL, as the client sent it."""
        query = self.query_string.decode("latin-1")
        return f"{self.base_url}?{query}" if query else self.base_url

    @property
    def full_path(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query_string.decode('latin-1')}"


def _text(value: str) -> str:
    return value.encode("latin-1").decode("utf-8", "replace")
