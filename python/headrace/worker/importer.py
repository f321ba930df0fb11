"""Finds and imports the user's app: `file.py`, `file.py:attr`, `module:attr` or `module`."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
from types import ModuleType
from typing import Any, Dict, List, NamedTuple, Tuple

from ..functions import compat
from . import detect, sources
from .boot import Boot
from .errors import StartupError

APP_NAMES = ("app", "application", "asgi", "wsgi", "asgi_app", "wsgi_app", "api", "server")
HANDLER_NAMES = ("main", "handler", "handle", "function", "endpoint")
FACTORY_NAMES = ("create_app", "make_app", "get_app", "app_factory", "create_application")


class Loaded(NamedTuple):
    """An app ready to serve. interface: "asgi", "wsgi" or "function"; name: `module:attr`, for messages and logs."""

    app: Any
    interface: str
    name: str


def load(boot: Boot) -> Loaded:
    """Import the app that `boot` names. Raises StartupError of stage import, its cause being the user's exception if any."""
    where, attr = split_target(boot.app)
    sources.install(boot.sources)
    start = os.getcwd()
    enter(boot.app_dir)
    compat.offer()
    module, name = import_module(where, [start, os.getcwd()])
    if not attr and boot.target:
        attr = boot.target
    if attr:
        app: Any = _walk(module, attr, name)
    else:
        attr, app = _obvious(module, name, boot)
    if boot.factory:
        app = _call_factory(app, f"{name}:{attr}")
    interface = boot.interface
    if interface == "auto":
        interface = "function" if boot.signature_type or attr in registered() else detect.interface_of(app)
    if not interface or not callable(app):
        raise _error("app-not-callable", _not_an_app(app, f"{name}:{attr}", boot))
    return Loaded(app, interface, f"{name}:{attr}")


def split_target(target: str) -> Tuple[str, str]:
    """`module:attr` to its two parts; the attribute is empty when there is none."""
    where, _, attr = target.rpartition(":")
    if not where or os.sep in attr or attr.endswith(".py"):
        where, attr = target, ""
    where, attr = where.strip(), attr.strip()
    if not where or where.startswith(":") or where.endswith(":"):
        raise _error("app-target-invalid", f"{target!r} is not an app: write file.py, file.py:attr or module:attr.")
    return where, attr


def enter(app_dir: str) -> None:
    """Make `app_dir` the working directory and the first entry of sys.path."""
    path = os.path.abspath(app_dir)
    try:
        os.chdir(path)
    except OSError as error:
        raise _error("app-dir-missing", f"The app's folder {path} cannot be entered: {error.strerror}.") from None
    put_first(path)


def put_first(path: str) -> None:
    """Put a folder first on sys.path, once."""
    if path in sys.path:
        sys.path.remove(path)
    sys.path.insert(0, path)
    importlib.invalidate_caches()


def import_module(where: str, folders: List[str]) -> Tuple[ModuleType, str]:
    """Import a file (looked for in `folders`) or a dotted module name. The module and the name it has in sys.modules."""
    is_path = where.endswith(".py") or os.sep in where
    if not is_path:
        return _import_name(where), where
    for folder in folders:
        path = os.path.abspath(os.path.join(folder, where))
        if os.path.isdir(path) and sources.is_file(os.path.join(path, "__init__.py")):
            path = os.path.join(path, "__init__.py")
        if sources.is_file(path):
            return _import_file(path)
    raise _error("app-not-found", f"There is no file {where} (looked in {' and '.join(dict.fromkeys(folders))}).")


def _import_name(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            hint = ""
            guess = name.replace(".", os.sep) + ".py"
            if os.path.isfile(name):
                hint = f" {name} is a file: end it with .py."
            elif os.path.isfile(guess):
                hint = f" The file {guess} exists, but a part of {name} is shadowed by another module."
            raise _error(
                "app-not-found", f"There is no module {error.name} (looked in {os.getcwd()} and sys.path).{hint}"
            ) from None
        raise _import_failed(name, error) from error
    except (Exception, SystemExit) as error:
        raise _import_failed(name, error) from error


def _import_file(path: str) -> Tuple[ModuleType, str]:
    """Import a file under its stem, or under its dotted name when it lies in a package."""
    folder, base = os.path.split(path)
    parts = [] if base == "__init__.py" else [os.path.splitext(base)[0]]
    while sources.is_file(os.path.join(folder, "__init__.py")) and os.path.basename(folder).isidentifier():
        folder, package = os.path.split(folder)
        parts.insert(0, package)
    name = ".".join(parts)
    put_first(folder)
    if len(parts) > 1 or base == "__init__.py":
        return _import_name(name), name
    taken = sys.modules.get(name)
    if taken is not None:
        if _same_file(taken, path):
            return taken, name
        name = f"headrace_app_{name}"
    return _execute(path, name), name


def _execute(path: str, name: str) -> ModuleType:
    spec = sources.spec_of(name, path)
    if spec is None or spec.loader is None:
        raise _error("app-not-found", f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        sys.modules.pop(name, None)
        raise _import_failed(name, error) from error
    return sys.modules.get(name, module)


def _same_file(module: ModuleType, path: str) -> bool:
    other = getattr(module, "__file__", None)
    return bool(other) and os.path.exists(str(other)) and os.path.samefile(str(other), path)


def _walk(module: ModuleType, attr: str, name: str) -> Any:
    found: Any = module
    for part in attr.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            listed = ", ".join(label for label, _ in candidates(module)) or "none"
            raise _error("attribute-not-found", f"{name} has no {attr}. Callables it has: {listed}.") from None
    return found


def registered() -> Dict[str, str]:
    """Functions registered by functions-framework's decorators: name to signature type, in order."""
    registry = sys.modules.get("functions_framework._function_registry")
    return dict(getattr(registry, "REGISTRY_MAP", None) or {})


def _obvious(module: ModuleType, name: str, boot: Boot) -> Tuple[str, Any]:
    """The one attribute that can be meant, in this order: an app's usual name, a framework's instance, a registered
    function, a handler's usual name, the only function."""
    space = vars(module)
    if boot.factory:
        return _pick_factory(module, name)
    if boot.interface != "function":
        for label in APP_NAMES:
            if callable(space.get(label)) and _may_be_app(space[label], module):
                return label, space[label]
        apps = detect.instances(module)
        if len(apps) == 1:
            return apps[0]
        if apps:
            raise _ambiguous(name, "apps", [label for label, _ in apps])
    known = [label for label in registered() if callable(space.get(label))]
    if len(known) == 1:
        return known[0], space[known[0]]
    if known:
        raise _ambiguous(name, "functions", known)
    found = candidates(module)
    for label, value in found:
        if label in HANDLER_NAMES:
            return label, value
    if len(found) == 1:
        return found[0]
    if found:
        raise _ambiguous(name, "callables", [label for label, _ in found])
    factory = [label for label in FACTORY_NAMES if callable(space.get(label))]
    hint = f" {factory[0]} looks like a factory: add --factory." if factory else ""
    raise _error("attribute-not-found", f"{name} has nothing to serve: no app, and no function of its own.{hint}")


def candidates(module: ModuleType) -> List[Tuple[str, Any]]:
    """Public functions and callables that the module defines itself and that take an argument; handlers' names first."""
    found = []
    for label, value in vars(module).items():
        if label.startswith("_") or isinstance(value, (type, ModuleType)) or not callable(value):
            continue
        if getattr(value, "__module__", None) != module.__name__ or label in FACTORY_NAMES:
            continue
        if detect.positional(value) != 0:
            found.append((label, value))
    found.sort(key=lambda item: HANDLER_NAMES.index(item[0]) if item[0] in HANDLER_NAMES else len(HANDLER_NAMES))
    return found


def _may_be_app(value: Any, module: ModuleType) -> bool:
    """Whether something with an app's usual name is one: not an imported function or class, not one without parameters."""
    if inspect.isfunction(value) or inspect.isclass(value):
        return value.__module__ == module.__name__ and detect.positional(value) != 0
    return True


def _pick_factory(module: ModuleType, name: str) -> Tuple[str, Any]:
    space = vars(module)
    for label in FACTORY_NAMES + APP_NAMES:
        if callable(space.get(label)):
            return label, space[label]
    raise _error("attribute-not-found", f"{name} has no factory of a usual name ({', '.join(FACTORY_NAMES)}).")


def _call_factory(factory: Any, name: str) -> Any:
    if not callable(factory):
        raise _error("factory-failed", f"{name} cannot be called, so it is no factory.")
    try:
        app = factory()
    except (Exception, SystemExit) as error:
        raise _error("factory-failed", f"The factory {name} failed: {type(error).__name__}: {error}") from error
    if inspect.iscoroutine(app):
        app.close()
        raise _error("factory-failed", f"The factory {name} is asynchronous; a factory has to return the app itself.")
    return app


def _not_an_app(app: Any, name: str, boot: Boot) -> str:
    if not callable(app):
        return f"{name} is {type(app).__name__} and cannot be called, so it is no app."
    if detect.positional(app) == 0 and not boot.factory:
        return f"{name} takes no arguments: is it a factory? Then add --factory."
    return f"{name} does not look like an app: say which kind it is with --interface asgi, wsgi or function."


def _ambiguous(name: str, what: str, labels: List[str]) -> StartupError:
    return _error("attribute-ambiguous", f"{name} has several {what}: {', '.join(labels)}. Say which, as in {name}:{labels[0]}.")


def _import_failed(name: str, error: BaseException) -> StartupError:
    detail = str(error)
    if isinstance(error, SystemExit):
        return _error("app-import-failed", f"Importing {name} ended the program (sys.exit({detail})).")
    return _error("app-import-failed", f"Importing {name} failed: {type(error).__name__}{': ' + detail if detail else ''}")


def _error(code: str, message: str) -> StartupError:
    return StartupError("import", code, message)
