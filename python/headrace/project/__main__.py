"""`python -m headrace.project`: reads files that are named on stdin as JSON, writes what they have to stdout as JSON.

Input: `{"root": PATH, "modules": [FILE, ...], "settings": [FILE, ...]}`, files relative to the root. Output: for each module
its apps, functions and launches, for each file of settings its assignments, for files that cannot be read why.
Nothing is imported.
"""

from __future__ import annotations

import ast
import json
import os
import sys
import warnings
from typing import Dict, List


def read(path: str) -> ast.Module:
    """The syntax tree of a file. Raises what reading and parsing raise."""
    with open(path, "rb") as file:
        return ast.parse(file.read(), path)


def main() -> None:
    """Reads stdin, writes stdout."""
    # Run by its path, so that no package of the project stands in the way.
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from headrace.project.module import Module, Reader, Setting, settings

    asked = json.load(sys.stdin)
    modules: Dict[str, Module] = {}
    assignments: Dict[str, List[Setting]] = {}
    unread: Dict[str, str] = {}
    # What old code says about escapes is of no interest here.
    warnings.simplefilter("ignore")
    for name in [*asked["modules"], *asked["settings"]]:
        try:
            tree = read(os.path.join(asked["root"], name))
            if name in asked["settings"]:
                assignments[name] = settings(tree)
            else:
                modules[name] = Reader(tree).read()
        except (OSError, SyntaxError, ValueError, RecursionError) as error:
            unread[name] = f"{type(error).__name__}: {error}"
    json.dump({"modules": modules, "settings": assignments, "unread": unread}, sys.stdout)


if __name__ == "__main__":
    main()
