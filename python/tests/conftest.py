"""Fixtures of the worker's tests."""

from __future__ import annotations

from typing import Iterator

import pytest
from harness import Platform


@pytest.fixture
def platform() -> Iterator[Platform]:
    """A platform of its own for one test."""
    with Platform() as one:
        yield one


@pytest.fixture(scope="module")
def shared() -> Iterator[Platform]:
    """One platform for the tests of a module."""
    with Platform() as one:
        yield one
