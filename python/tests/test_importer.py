"""Finding and importing the app, in a fresh interpreter each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Dict, Iterator

import pytest
from harness import HOME, Platform

ASGI = "async def app(scope, receive, send): ...\n"
SCRIPT = """
import json, sys
sys.path.append(sys.argv[2])
from headrace.worker import importer
from headrace.worker.boot import Boot
from headrace.worker.errors import StartupError
boot = {"id": "i", "token": "t", "control": "/c", "listen": "/l", **json.loads(sys.argv[1])}
try:
    loaded = importer.load(Boot.from_dict(boot))
except StartupError as error:
    out = {"stage": error.stage, "code": error.code, "message": error.message, "traceback": error.traceback()}
else:
    out = {"interface": loaded.interface, "name": loaded.name, "type": type(loaded.app).__name__,
        "module": getattr(loaded.app, "__module__", ""), "called": getattr(loaded.app, "__name__", "")}
import os
print("\\n" + json.dumps({**out, "path": sys.path[0], "cwd": os.getcwd()}))
"""


@pytest.fixture
def folder() -> Iterator[Platform]:
    with Platform() as platform:
        yield platform


def load(folder: Platform, app: str, cwd: str = "", **keys: Any) -> Dict[str, Any]:
    boot = {"app": app, "app_dir": folder.folder, **keys}
    where = os.path.join(folder.folder, cwd)
    out = subprocess.run(
        [sys.executable, "-I", "-c", SCRIPT, json.dumps(boot), HOME], cwd=where, stdout=subprocess.PIPE, timeout=60, check=True
    )
    return dict(json.loads(out.stdout.decode().splitlines()[-1]))


@pytest.mark.parametrize("target", ["shop.py", "shop.py:app", "shop:app", "shop", "./shop.py"])
def test_the_four_ways_to_name_an_app(folder: Platform, target: str) -> None:
    folder.write("shop.py", ASGI)
    found = load(folder, target)
    assert (found["interface"], found["name"], found["module"]) == ("asgi", "shop:app", "shop")
    assert os.path.realpath(found["path"]) == os.path.realpath(found["cwd"]) == os.path.realpath(folder.folder)


def test_dotted_modules_and_attributes(folder: Platform) -> None:
    folder.write("pkg/__init__.py", "")
    folder.write("pkg/deep.py", "class holder:\n    @staticmethod\n    def app(environ, start_response): ...\n")
    assert load(folder, "pkg.deep:holder.app")["interface"] == "wsgi"


def test_a_file_in_a_package_has_its_dotted_name(folder: Platform) -> None:
    folder.write("top/pkg/__init__.py", "")
    folder.write("top/pkg/other.py", "value = 1\n")
    folder.write("top/pkg/main.py", "from .other import value\nimport pkg.main\n" + ASGI)
    found = load(folder, "top/pkg/main.py")
    assert (found["name"], found["module"]) == ("pkg.main:app", "pkg.main")
    found = load(folder, "main.py", app_dir=os.path.join(folder.folder, "top", "pkg"))
    assert found["name"] == "pkg.main:app"


def test_a_package_is_imported_by_its_folder(folder: Platform) -> None:
    folder.write("shop/__init__.py", ASGI)
    assert load(folder, "shop/")["name"] == "shop:app"


def test_a_file_may_be_imported_by_its_own_modules(folder: Platform) -> None:
    folder.write("main.py", "import helper\nvalue = 5\n" + ASGI)
    folder.write("helper.py", "import main\nassert main.__name__ == 'main'\n")
    assert load(folder, "main.py")["name"] == "main:app"


def test_a_name_that_is_no_identifier_and_one_that_is_taken(folder: Platform) -> None:
    folder.write("my-app.py", ASGI)
    assert load(folder, "my-app.py")["name"] == "my-app:app"
    folder.write("json.py", "import dataclasses\n@dataclasses.dataclass\nclass A:\n    x: int\n" + ASGI)
    assert load(folder, "json.py")["name"] == "headrace_app_json:app"


def test_relative_files_are_found_from_where_one_started(folder: Platform) -> None:
    folder.write("sub/inner.py", ASGI)
    assert load(folder, "inner.py", cwd="sub")["name"] == "inner:app"


@pytest.mark.parametrize(
    ("source", "attr", "interface"),
    [
        ("def application(environ, start_response): ...\ndef helper(x): ...", "application", "wsgi"),
        ("def create_app(): ...\ndef api(scope): return None", "api", "asgi"),
        ("def main(request): ...\ndef helper(x): ...", "main", "function"),
        ("def handler(event, context): ...", "handler", "function"),
        ("def main(): ...\ndef hello(request): ...", "hello", "function"),
        ("def _private(x): ...\nfrom os.path import join\nclass Thing: ...\ndef hello(request): ...", "hello", "function"),
        ("async def hello(request): ...", "hello", "function"),
        ("def app(): ...\ndef hello(request): ...", "hello", "function"),
    ],
)
def test_the_obvious_attribute(folder: Platform, source: str, attr: str, interface: str) -> None:
    folder.write("it.py", source)
    found = load(folder, "it.py")
    assert (found.get("name"), found["interface"]) == (f"it:{attr}", interface)


def test_framework_instances(folder: Platform) -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("flask")
    folder.write("a.py", "import fastapi\nshop = fastapi.FastAPI()\nalias = shop\ndef main(x): ...\n")
    assert load(folder, "a.py")["name"] == "a:shop"
    folder.write("b.py", "import flask\nsite = flask.Flask(__name__)\nbp = flask.Blueprint('x', __name__)\n")
    assert load(folder, "b.py")["interface"] == "wsgi"
    folder.write("c.py", "import flask\none = flask.Flask('a')\ntwo = flask.Flask('b')\n")
    found = load(folder, "c.py")
    assert found["code"] == "attribute-ambiguous" and "one, two" in found["message"] and "c:one" in found["message"]
    folder.write("d.py", "import flask\nother = flask.Flask('a')\napp = flask.Flask('b')\n")
    assert load(folder, "d.py")["name"] == "d:app"


def test_functions_registered_by_decorators(folder: Platform) -> None:
    pytest.importorskip("functions_framework")
    source = "import functions_framework\ndef helper(x): ...\n@functions_framework.http\ndef greet(request): ...\n"
    folder.write("f.py", source)
    found = load(folder, "f.py")
    assert (found["name"], found["interface"]) == ("f:greet", "function")


def test_target_signature_type_and_interface(folder: Platform) -> None:
    folder.write("f.py", "def one(request): ...\ndef two(request): ...\n")
    assert load(folder, "f.py", target="two", interface="function")["name"] == "f:two"
    assert load(folder, "f.py:one", signature_type="cloudevent")["interface"] == "function"
    folder.write("g.py", "def app(a, b): ...\n")
    assert load(folder, "g.py", interface="asgi")["interface"] == "asgi"
    found = load(folder, "f.py", target="three")
    assert found["code"] == "attribute-not-found" and "one, two" in found["message"]


def test_factories(folder: Platform) -> None:
    folder.write("f.py", "def create_app():\n    async def app(scope, receive, send): ...\n    return app\n")
    assert load(folder, "f.py", factory=True)["interface"] == "asgi"
    assert load(folder, "f.py:create_app", factory=True)["interface"] == "asgi"
    found = load(folder, "f.py")
    assert found["code"] == "attribute-not-found" and "--factory" in found["message"]
    found = load(folder, "f.py:create_app")
    assert found["code"] == "app-not-callable" and "--factory" in found["message"]
    folder.write("g.py", "def create_app():\n    raise ValueError('no')\n")
    found = load(folder, "g.py", factory=True)
    assert found["code"] == "factory-failed" and "in create_app" in found["traceback"]
    folder.write("h.py", "async def create_app(): ...\n")
    assert load(folder, "h.py", factory=True)["code"] == "factory-failed"


def test_an_import_that_fails_shows_the_users_traceback_only(folder: Platform) -> None:
    folder.write("broken.py", "import inner\n")
    folder.write(
        "inner.py", "def f():\n    return {}['key']\ntry:\n    f()\nexcept KeyError as e:\n    raise ValueError('x') from e\n"
    )
    for target in ("broken.py", "broken:app"):
        found = load(folder, target)
        assert (found["stage"], found["code"]) == ("import", "app-import-failed")
        assert found["message"] == "Importing broken failed: ValueError: x"
        assert "broken.py" in found["traceback"] and "KeyError" in found["traceback"]
        assert "headrace" not in found["traceback"] and "importlib" not in found["traceback"]
    folder.write("syntax.py", "def (:\n")
    found = load(folder, "syntax.py")
    assert "SyntaxError" in found["message"] and "syntax.py" in found["traceback"]
    folder.write("leaves.py", "import sys\nsys.exit('done')\n")
    assert "sys.exit(done)" in load(folder, "leaves.py")["message"]
    folder.write("missing.py", "import no_such_module_at_all\n")
    found = load(folder, "missing:app")
    assert found["code"] == "app-import-failed" and "no_such_module_at_all" in found["message"]


@pytest.mark.parametrize(
    ("target", "code", "word"),
    [
        ("nowhere.py", "app-not-found", "nowhere.py"),
        ("nowhere:app", "app-not-found", "nowhere"),
        ("nowhere.deep:app", "app-not-found", "nowhere"),
        ("", "app-target-invalid", "file.py"),
        (":app", "app-target-invalid", "file.py"),
        ("it.py:nothing", "attribute-not-found", "real"),
        ("it.py:value", "app-not-callable", "int"),
        ("empty.py", "attribute-not-found", "nothing to serve"),
        ("two.py", "attribute-ambiguous", "first, second"),
    ],
)
def test_errors_say_what_to_do(folder: Platform, target: str, code: str, word: str) -> None:
    folder.write("it.py", "value = 3\ndef real(request): ...\n")
    folder.write("empty.py", "value = 3\n")
    folder.write("two.py", "def first(request): ...\ndef second(request): ...\n")
    found = load(folder, target)
    assert found["code"] == code
    assert word in found["message"]


def test_a_missing_folder(folder: Platform) -> None:
    assert load(folder, "x.py", app_dir="/no/such/folder")["code"] == "app-dir-missing"
