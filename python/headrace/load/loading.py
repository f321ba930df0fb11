"""Reads the file of a scenario and finds the users in it."""

from __future__ import annotations

import inspect
import linecache
import os
import sys
import traceback
from types import ModuleType
from typing import Any, List, Tuple, Type

from .user import User, task, tasks_of

FUNCTION = "scenario"


class ScenarioError(Exception):
    """The file cannot be used. The text is for a person."""


def load(path: str) -> List[Type[User]]:
    """Run the file as a module and return its users, in order. ScenarioError says why there are none."""
    module = _run(os.path.abspath(path))
    return users_of(module, path)


def users_of(module: ModuleType, path: str) -> List[Type[User]]:
    """The users of a module: its classes that have tasks and are not abstract; without one, its function `scenario`."""
    names = vars(module)
    users = [
        value
        for value in names.values()
        if isinstance(value, type) and issubclass(value, User) and value is not User and not vars(value).get("abstract", False)
    ]
    users = list(dict.fromkeys(users))
    function = names.get(FUNCTION)
    if not users and callable(function):
        users = [_user_of(function, path)]
    users = [each for each in users if each.weight > 0]
    if not users:
        raise ScenarioError(f"{path} has neither a class derived from User nor a function `async def {FUNCTION}(user)`.")
    for each in users:
        _look(each, path)
    return users


def _user_of(function: Any, path: str) -> Type[User]:
    if not inspect.iscoroutinefunction(function):
        raise ScenarioError(f"{path}: {FUNCTION} has to be `async def {FUNCTION}(user)`.")

    async def run(self: User) -> None:
        await function(self)

    run.__name__ = FUNCTION
    return type("Scenario", (User,), {FUNCTION: task(run), "__module__": function.__module__})


def _look(kind: Type[User], path: str) -> None:
    tasks = tasks_of(kind)
    if not tasks:
        raise ScenarioError(f"{path}: {kind.__name__} has no task: mark methods with @task, or set abstract = True.")
    for name in [each for each, _ in tasks] + ["on_start", "on_stop"]:
        if not inspect.iscoroutinefunction(getattr(kind, name)):
            raise ScenarioError(f"{path}: {kind.__name__}.{name} has to be `async def`.")
    if not callable(kind.wait_time):
        raise ScenarioError(f"{path}: {kind.__name__}.wait_time has to be callable, such as constant(1).")


def _run(path: str) -> ModuleType:
    folder = os.path.dirname(path)
    if folder in sys.path:
        sys.path.remove(folder)
    sys.path.insert(0, folder)
    name = os.path.splitext(os.path.basename(path))[0]
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        raise ScenarioError(f"{path} cannot be read: {error.strerror or error}") from error
    module = ModuleType(name)
    module.__file__ = path
    # Found there by dataclasses, pickle and typing; a module of that name that is there already stays.
    sys.modules.setdefault(name, module)
    try:
        exec(compile(source, path, "exec"), module.__dict__)  # noqa: S102  that is what it is for
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise ScenarioError(f"{path} could not be loaded.\n{trace_of(error)}") from error
    return module


def trace_of(error: BaseException) -> str:
    """The traceback as Python writes it, from the first frame that is not ours to the last one before ours come again."""
    linecache.checkcache()
    frames = traceback.extract_tb(error.__traceback__)
    first = next((at for at, frame in enumerate(frames) if not _ours(frame)), len(frames))
    end = next((at for at in range(first, len(frames)) if _ours(frames[at])), len(frames))
    told = traceback.TracebackException(type(error), error, error.__traceback__)
    if end < len(frames):
        # What lies behind a call of ours says nothing of the scenario, and neither does what caused it there.
        told.__cause__ = told.__context__ = None
    told.stack = traceback.StackSummary.from_list(frames[first:end])
    return "".join(told.format()).rstrip()


def place_of(error: BaseException) -> Tuple[str, str]:
    """`file:line` where the scenario raised it, or called what did, and the text of that line."""
    for frame in traceback.extract_tb(error.__traceback__):
        if not _ours(frame):
            return f"{os.path.basename(frame.filename)}:{frame.lineno}", (frame.line or "").strip()
    return "", ""


def _ours(frame: traceback.FrameSummary) -> bool:
    return os.path.dirname(frame.filename) == os.path.dirname(os.path.abspath(__file__))
