"""What the decorators have registered, under the names that functions-framework uses."""

from __future__ import annotations

import importlib.util
import os
import sys
from types import ModuleType
from typing import Any, Dict, Set

from .exceptions import MissingTargetException

HTTP_SIGNATURE_TYPE = "http"
CLOUDEVENT_SIGNATURE_TYPE = "cloudevent"
BACKGROUNDEVENT_SIGNATURE_TYPE = "event"
TYPED_SIGNATURE_TYPE = "typed"

REGISTRY_MAP: Dict[str, str] = {}
INPUT_TYPE_MAP: Dict[str, Any] = {}
ASGI_FUNCTIONS: Set[str] = set()


def load(source: str, target: str) -> ModuleType:
    """Import a file that has to define `target`."""
    path = os.path.realpath(source)
    folder, file = os.path.split(path)
    name = os.path.splitext(file)[0]
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=[folder])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.append(folder)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    if not callable(getattr(module, target, None)):
        raise MissingTargetException(f"File {source} is expected to contain a function named '{target}'.")
    return module
