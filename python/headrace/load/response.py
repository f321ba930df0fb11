"""What a request of a scenario brought back."""

from __future__ import annotations

import json
import zlib
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from .http1 import Answer


class Headers(Mapping[str, str]):
    """Fields of a response. Names are looked up in any case; fields that come more than once are joined with commas."""

    def __init__(self, block: bytes) -> None:
        self._fields: List[Tuple[str, str]] = []
        self._joined: Dict[str, str] = {}
        for line in block.split(b"\r\n"):
            name, colon, value = line.partition(b":")
            if colon:
                self._fields.append((name.decode("latin-1").lower(), value.strip().decode("latin-1")))
        for key, text in self._fields:
            self._joined[key] = f"{self._joined[key]}, {text}" if key in self._joined else text

    def __getitem__(self, name: str) -> str:
        return self._joined[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._joined

    def __iter__(self) -> Iterator[str]:
        return iter(self._joined)

    def __len__(self) -> int:
        return len(self._joined)

    def get_list(self, name: str) -> List[str]:
        """Every value of a field, in order."""
        return [value for key, value in self._fields if key == name.lower()]


class Response:
    """A whole answer. Head and body are read when they are asked for, so a scenario that looks at the status pays for no more."""

    __slots__ = ("_answer", "_content", "_headers", "elapsed", "url")

    def __init__(self, answer: Answer, url: str, elapsed: float) -> None:
        self._answer = answer
        self._headers: Optional[Headers] = None
        self._content: Optional[bytes] = None
        self.url = url
        self.elapsed = elapsed
        """Seconds from sending to the last byte."""

    @property
    def status(self) -> int:
        """The status, 100 to 599."""
        return self._answer.status

    status_code = status
    """The same, under the name that requests and Locust use."""

    @property
    def ok(self) -> bool:
        """The status is below 400."""
        return self._answer.status < 400

    @property
    def headers(self) -> Headers:
        """The fields of the head."""
        if self._headers is None:
            self._headers = Headers(self._answer.head)
        return self._headers

    @property
    def content(self) -> bytes:
        """The body, with gzip and deflate undone. ValueError when it is not what its content-encoding says."""
        if self._content is None:
            self._content = _decode(self._answer.body, self.headers.get("content-encoding", ""))
        return self._content

    @property
    def text(self) -> str:
        """The body as text, by the charset of its content-type, else UTF-8. What does not decode becomes U+FFFD."""
        kind = self.headers.get("content-type", "")
        charset = "utf-8"
        for part in kind.split(";")[1:]:
            name, _, value = part.strip().partition("=")
            if name.lower() == "charset":
                charset = value.strip("\"'")
        try:
            return self.content.decode(charset, "replace")
        except LookupError:
            return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body read as JSON. ValueError when it is none."""
        return json.loads(self.content)

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.url}>"


def _decode(body: bytes, encodings: str) -> bytes:
    if not body:
        # The answer to HEAD says how its body would be packed.
        return body
    for encoding in reversed([each.strip().lower() for each in encodings.split(",") if each.strip()]):
        if encoding == "identity":
            continue
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise ValueError(f"the content-encoding {encoding} was not asked for")
        try:
            # 47: gzip or zlib, whichever its header says.
            body = zlib.decompress(body, 47)
        except zlib.error as error:
            try:
                # Some servers send deflate without the header of zlib.
                body = zlib.decompress(body, -15)
            except zlib.error:
                raise ValueError(f"the body is not {encoding}: {error}") from error
    return body
