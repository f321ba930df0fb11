"""Makes a WSGI or ASGI app out of a plain function, as functions-framework does."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

from ..functions import compat, execution, registry
from .boot import Boot
from .errors import StartupError
from .importer import Loaded


def adapt(loaded: Loaded, boot: Boot) -> Loaded:
    """The app of a function: ASGI when it is asynchronous or asks for it (`functions_framework.aio`), else WSGI.

    Sets the environment that functions expect. Raises StartupError (stage import, code signature-type-invalid).
    """
    target = boot.target or loaded.name.rpartition(":")[2]
    try:
        function = registry.describe(loaded.app, target, boot.signature_type)
    except registry.SignatureError as error:
        raise StartupError("import", "signature-type-invalid", f"{error}.") from None
    _environment(boot, function)
    execution.label_logs()
    app: Any
    if function.uses_asgi:
        from ..functions.aio import App

        return Loaded(App(function), "asgi", loaded.name)
    if importlib.util.find_spec("flask") is not None:
        from ..functions.http import make
    else:
        from ..functions.plain import make
    app = make(function, compat.error_handlers())
    return Loaded(app, "wsgi", loaded.name)


def _environment(boot: Boot, function: registry.Function) -> None:
    """What the runtime contracts of Cloud Functions and Knative promise."""
    os.environ["FUNCTION_TARGET"] = function.target
    os.environ["FUNCTION_SIGNATURE_TYPE"] = function.signature
    os.environ.setdefault("K_SERVICE", boot.service or function.target)
    os.environ.setdefault("K_REVISION", boot.revision)
    os.environ.setdefault("K_CONFIGURATION", os.environ["K_SERVICE"])
    if os.environ.get("ENTRY_POINT"):
        os.environ.setdefault("FUNCTION_NAME", os.environ["K_SERVICE"])
        os.environ["FUNCTION_TRIGGER_TYPE"] = function.signature
