"""Run by its path: says of apps that are named on stdin as JSON which of them cannot be there. Nothing of theirs is imported.

Input: `[{"app": "shop.main", "attribute": "app", "start": PATH, "dir": PATH}, ...]`: the app without its attribute, the attribute
or nothing, the folder in which the worker starts and the app's own. Output: for each of them null, or what is missing. Null
means "perhaps": what a module makes while it is imported is known to nobody before.
"""

from __future__ import annotations

import ast
import json
import os
import sys
import warnings
from importlib.machinery import ModuleSpec
from typing import Dict, Iterator, List, Optional, Sequence, Set, TypedDict

#: A module whose source has one of these may find its parts, or itself, in its own way.
OWN_WAYS = ("__path__", "sys.modules", "meta_path", "path_hooks", "extend_path")

#: Names by which a module can get attributes that its source does not bind.
DYNAMIC = frozenset(["globals", "vars", "locals", "exec", "eval", "setattr", "__getattr__", "__dict__", "modules"])


class Asked(TypedDict):
    """One app."""

    app: str
    attribute: str
    start: str
    dir: str


class Missing(TypedDict):
    """What is not there: a module, or the attribute of one. `names` are those that the module has at its top."""

    kind: str
    name: str
    names: List[str]


class Unknown(Exception):
    """It cannot be said without importing something."""


def missing(asked: Asked, paths: Sequence[str]) -> Optional[Missing]:
    """What an app lacks, or None when it has all, as far as can be seen."""
    sys.path[:] = [asked["dir"], *(path for path in paths if path != asked["dir"])]
    name = asked["app"]
    try:
        if name.endswith(".py") or "/" in name:
            return lacking(source_file(asked), None, asked)
        spec = locate(name)
        if isinstance(spec, str):
            return {"kind": "module", "name": spec, "names": []}
        return lacking(spec.origin or "", spec, asked)
    except (Unknown, OSError):
        return None


def source_file(asked: Asked) -> str:
    """The file of an app that is named by it, found as the worker finds it."""
    for folder in (asked["start"], asked["dir"]):
        path = os.path.join(folder, asked["app"])
        for candidate in (os.path.join(path, "__init__.py"), path):
            if os.path.isfile(candidate):
                return candidate
    raise Unknown


def locate(name: str) -> "ModuleSpec | str":
    """Where a module is, or the name of the part of it that is nowhere."""
    spec: Optional[ModuleSpec] = None
    search: Optional[List[str]] = None
    parts = name.split(".")
    for index in range(len(parts)):
        part = ".".join(parts[: index + 1])
        if index > 0 and search is None:
            found = None
        else:
            found = find(part, search)
        if found is None:
            if spec is not None and has_own_ways(spec):
                raise Unknown
            return part
        spec, search = found, folders(found)
    if spec is None:
        raise Unknown
    return spec


def find(name: str, search: Optional[List[str]]) -> Optional[ModuleSpec]:
    """What the import system would find, without the imports of the packages around it."""
    try:
        for finder in list(sys.meta_path):
            look = getattr(finder, "find_spec", None)
            found = None if look is None else look(name, search)
            if found is not None:
                assert isinstance(found, ModuleSpec)
                return found
    except KeyError:
        # A folder without __init__.py in a package: Python wants to ask the package, which is not imported.
        inner = [os.path.join(path, name.rpartition(".")[2]) for path in search or []]
        namespace = ModuleSpec(name, None, is_package=True)
        namespace.submodule_search_locations = [path for path in inner if os.path.isdir(path)]
        return namespace
    except Exception as error:
        raise Unknown from error
    return None


def folders(spec: ModuleSpec) -> Optional[List[str]]:
    """Where the modules of a package are looked for; None of a module that is no package."""
    locations = spec.submodule_search_locations
    return None if locations is None else list(locations)


def has_own_ways(spec: ModuleSpec) -> bool:
    """Whether a package or module may have parts that are in no folder of it."""
    if spec.loader is None or spec.origin in (None, "namespace"):
        return False
    if not spec.origin.endswith(".py"):
        return True
    try:
        with open(spec.origin, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return True
    return any(way in text for way in OWN_WAYS)


def lacking(path: str, spec: Optional[ModuleSpec], asked: Asked) -> Optional[Missing]:
    """The attribute, when the source of the module cannot have it."""
    attribute = asked["attribute"].split(".")[0]
    if not attribute or attribute.startswith("__") or not path.endswith(".py"):
        return None
    try:
        with open(path, "rb") as file:
            tree = ast.parse(file.read(), path)
    except (OSError, SyntaxError, ValueError, RecursionError) as error:
        raise Unknown from error
    bound = names(tree)
    if bound is None or attribute in bound or any(f".{attribute}" in text for text in packages(path)):
        return None
    search = None if spec is None else folders(spec)
    if search is not None and find(f"{asked['app']}.{attribute}", search) is not None:
        return None
    public = sorted({name for statement in tree.body for name in shallow(statement) if not name.startswith("_")})
    return {"kind": "attribute", "name": attribute, "names": public}


def packages(path: str) -> Iterator[str]:
    """The sources of the packages around a module: they are imported first, and may put something into it."""
    folder = os.path.dirname(path)
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        with open(os.path.join(folder, "__init__.py"), encoding="utf-8", errors="replace") as file:
            yield file.read()
        folder = os.path.dirname(folder)


def names(tree: ast.Module) -> Optional[Set[str]]:
    """All names that are bound anywhere in a module; None when it may bind others."""
    bound: Set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            return None
        if isinstance(node, ast.Name) and node.id in DYNAMIC:
            return None
        if isinstance(node, ast.Attribute) and node.attr in DYNAMIC:
            return None
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name in DYNAMIC:
            return None
        bound.update(binds(node))
    return bound


def binds(node: ast.AST) -> Iterator[str]:
    """The names that a node itself binds."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        for alias in node.names:
            yield alias.asname or alias.name.split(".")[0]
    elif isinstance(node, ast.Global):
        yield from node.names
    else:
        # Functions, classes and handlers; the patterns and type aliases of newer Pythons.
        for field in ("name", "rest"):
            name = getattr(node, field, None)
            if isinstance(name, str):
                yield name


def shallow(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement at the top of a module binds there, for a hint."""
    yield from binds(statement)
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        for target in statement.targets if isinstance(statement, ast.Assign) else [statement.target]:
            yield from binds(target)


def main() -> None:
    """Reads stdin, writes stdout."""
    # The folder of this file is no place of the user's; the one of the package is the last, as in a worker.
    here = os.path.dirname(os.path.abspath(__file__))
    home = os.path.dirname(os.path.dirname(here))
    paths = [path for path in sys.path if path and os.path.abspath(path) not in (here, home)] + [home]
    warnings.simplefilter("ignore")
    asked: List[Asked] = json.load(sys.stdin)
    known: Dict[str, Optional[Missing]] = {}
    for app in asked:
        key = json.dumps(app, sort_keys=True)
        if key not in known:
            known[key] = missing(app, paths)
    json.dump([known[json.dumps(app, sort_keys=True)] for app in asked], sys.stdout)


if __name__ == "__main__":
    main()
