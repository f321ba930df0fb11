"""The context of background functions."""

from headrace.functions.context import Context

__all__ = ["Context"]
