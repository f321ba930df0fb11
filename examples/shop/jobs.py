"""A function, as functions-framework has them: called with a request, there only while it is needed."""

from typing import Any


def make_thumbnail(request: Any) -> tuple[str, int]:
    return f"thumbnail of {request.args.get('of', 'nothing')}", 200
