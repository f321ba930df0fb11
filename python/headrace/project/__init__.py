"""Reads a project's Python files for `headrace init`, without importing any of them."""
