"""A function as it is deployed to a platform of functions."""

from typing import Any


def hello(request: Any) -> str:
    return "Hello, world!"
