"""Finds the apps of one module in its syntax tree."""

from __future__ import annotations

import ast
from typing import Dict, Iterator, List, Optional, Tuple, TypedDict, Union

from .kinds import DECORATORS, FACTORY_NAMES, MAKERS, OTHERS

Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]
Made = Tuple[str, str]


class App(TypedDict):
    """An app, or a function without arguments that makes one."""

    attribute: str
    line: int
    framework: str
    #: Empty: not known.
    interface: str
    factory: bool


class Served(TypedDict):
    """A function for functions-framework."""

    attribute: str
    line: int
    signature: str


class Setting(TypedDict):
    """An assignment at the top of a module. `value` is none where it is not known without running it."""

    name: str
    line: int
    value: object
    source: str


class Launch(TypedDict):
    """A call of uvicorn.run and the like, with those of its arguments that are known without running it."""

    line: int
    call: str
    app: str
    options: Dict[str, object]
    unknown: List[str]


class Module(TypedDict):
    """What a module has."""

    apps: List[App]
    functions: List[Served]
    launches: List[Launch]
    #: Of things that cannot be served: the framework and the line.
    others: List[Tuple[str, int]]


class Reader:
    """One module. Names are followed through imports and assignments of this module, not into others."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.names: Dict[str, str] = {}
        self.functions: Dict[str, Function] = {}
        self.made: Dict[str, Made] = {}
        self.found: Module = {"apps": [], "functions": [], "launches": [], "others": []}

    def read(self) -> Module:
        """Reads it whole."""
        for statement in statements(self.tree.body):
            self._import(statement)
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.functions[statement.name] = statement
                self._function(statement)
        for statement in statements(self.tree.body):
            self._assignment(statement)
        for function in self.functions.values():
            self._factory(function)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                self._launch(node)
        return self.found

    def _import(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.Import):
            for name in statement.names:
                if name.asname is not None:
                    self.names[name.asname] = name.name
                else:
                    top = name.name.split(".")[0]
                    self.names[top] = top
        elif isinstance(statement, ast.ImportFrom):
            module = "." * statement.level + (statement.module or "")
            for name in statement.names:
                self.names[name.asname or name.name] = f"{module}.{name.name}"

    def full_name(self, node: ast.expr) -> str:
        """`FastAPI` to `fastapi.FastAPI`; empty for what is no name."""
        parts: List[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        parts.append(self.names.get(node.id, node.id))
        return ".".join(reversed(parts))

    def _maker(self, value: Optional[ast.expr]) -> Optional[Made]:
        """What a value is, when it is an app: the framework and the interface."""
        if isinstance(value, ast.Name):
            return self.made.get(value.id)
        if not isinstance(value, ast.Call):
            return None
        name = self.full_name(value.func)
        if name in MAKERS:
            return MAKERS[name]
        last = name.rsplit(".", 1)[-1]
        if last == "make_wsgi_app" or (isinstance(value.func, ast.Attribute) and value.func.attr == "make_wsgi_app"):
            return ("Pyramid", "wsgi")
        if last in self.functions and name == last:
            return self._returned(self.functions[last])
        if last in FACTORY_NAMES:
            return ("", "")
        # A wrapper around an app that is known: app = SomeMiddleware(app).
        for argument in value.args:
            if isinstance(argument, ast.Name) and argument.id in self.made:
                framework, interface = self.made[argument.id]
                return (framework, "asgi" if "asgi" in name.lower() else interface)
        return None

    def _returned(self, function: Function) -> Optional[Made]:
        """What a function makes and answers, when that is an app."""
        made = dict(self.made)
        answer: Optional[Made] = None
        names = dict(self.names)
        for statement in statements(function.body):
            self._import(statement)
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                kind = self._maker(node.value) if not calls(node.value, function.name) else None
                if kind is not None:
                    self.made[node.targets[0].id] = kind
        for node in ast.walk(function):
            if isinstance(node, ast.Return) and not calls(node.value, function.name):
                answer = self._maker(node.value) or answer
        if answer is None and function.returns is not None:
            answer = MAKERS.get(self.full_name(function.returns))
        self.made, self.names = made, names
        return answer

    def _assignment(self, statement: ast.stmt) -> None:
        target, value = assigned(statement)
        if target is None or value is None:
            return
        other = OTHERS.get(self.full_name(value.func)) if isinstance(value, ast.Call) else None
        if other is not None:
            self.found["others"].append((other, statement.lineno))
        kind = self._maker(value)
        if kind is None and isinstance(value, ast.Attribute) and value.attr == "server" and target == "server":
            kind = ("Dash", "wsgi")
        if kind is None:
            return
        self.made[target] = kind
        self.found["apps"] = [app for app in self.found["apps"] if app["attribute"] != target]
        self._add(target, statement.lineno, kind, False)

    def _factory(self, function: Function) -> None:
        if isinstance(function, ast.AsyncFunctionDef) or needs_arguments(function):
            return
        kind = self._returned(function)
        if kind is not None and kind[0] != "":
            self._add(function.name, function.lineno, kind, True)

    def _add(self, attribute: str, line: int, kind: Made, factory: bool) -> None:
        framework, interface = kind
        self.found["apps"].append(
            {
                "attribute": attribute,
                "line": line,
                "framework": framework,
                "interface": interface,
                "factory": factory,
            }
        )

    def _function(self, function: Function) -> None:
        arguments = [argument.arg for argument in function.args.args]
        if isinstance(function, ast.AsyncFunctionDef) and arguments == ["scope", "receive", "send"]:
            self._add(function.name, function.lineno, ("ASGI", "asgi"), False)
        elif arguments == ["environ", "start_response"]:
            self._add(function.name, function.lineno, ("WSGI", "wsgi"), False)
        for decorator in function.decorator_list:
            name = self.full_name(decorator.func if isinstance(decorator, ast.Call) else decorator)
            if name in DECORATORS:
                self.found["functions"].append(
                    {
                        "attribute": function.name,
                        "line": function.lineno,
                        "signature": DECORATORS[name],
                    }
                )

    def _launch(self, call: ast.Call) -> None:
        name = self.full_name(call.func)
        if name not in ("uvicorn.run", "granian.Granian", "waitress.serve"):
            return
        first = call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "app"), None)
        app = ""
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            app = first.value
        elif isinstance(first, ast.Name):
            app = ":" + first.id
        options: Dict[str, object] = {}
        unknown: List[str] = []
        for keyword in call.keywords:
            if keyword.arg is None or keyword.arg == "app":
                continue
            if isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, (str, int, float, bool)):
                options[keyword.arg] = keyword.value.value
            else:
                unknown.append(f"{keyword.arg}={ast.unparse(keyword.value)}")
        self.found["launches"].append({"line": call.lineno, "call": name, "app": app, "options": options, "unknown": unknown})


def settings(tree: ast.Module) -> List[Setting]:
    """What a configuration file written in Python sets at its top."""
    found: List[Setting] = []
    for statement in statements(tree.body):
        name, value = assigned(statement)
        if name is None or value is None:
            continue
        known: object = None
        try:
            known = ast.literal_eval(value)
        except ValueError:
            pass
        if not isinstance(known, (str, int, float, bool)):
            known = None
        found.append({"name": name, "line": statement.lineno, "value": known, "source": ast.unparse(value)})
    return found


def statements(body: List[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported, those within if, try and with as well."""
    for statement in body:
        if isinstance(statement, ast.If) and is_main_guard(statement.test):
            continue
        yield statement
        for name in ("body", "orelse", "finalbody"):
            if isinstance(statement, (ast.If, ast.Try, ast.With)):
                yield from statements(getattr(statement, name, []))
        if isinstance(statement, ast.Try):
            for handler in statement.handlers:
                yield from statements(handler.body)


def is_main_guard(test: ast.expr) -> bool:
    """Whether it is `__name__ == "__main__"`."""
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def assigned(statement: ast.stmt) -> Tuple[Optional[str], Optional[ast.expr]]:
    """The one name that a statement assigns, and the value; the last of a chain of names."""
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id, statement.value
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Name):
                return target.id, statement.value
    return None, None


def calls(value: Optional[ast.expr], name: str) -> bool:
    """Whether a value calls the function itself, which would not end."""
    return value is not None and any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name for node in ast.walk(value)
    )


def needs_arguments(function: Function) -> bool:
    """Whether it cannot be called without any."""
    arguments = function.args
    required = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    return required > 0 or any(default is None for default in arguments.kw_defaults)
