"""What goes wrong before a function is called."""

from __future__ import annotations


class BadRequest(Exception):
    """The request cannot be turned into the function's argument: status 400, with this message."""


class ConversionError(BadRequest):
    """An event has no equivalent of the kind that the function takes."""
