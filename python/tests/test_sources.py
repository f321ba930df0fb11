"""Imports from what a revision was made of, in a fresh interpreter each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Iterator

import pytest
from harness import HOME, Platform

SCRIPT = """
import json, sys
sys.path.append(sys.argv[2])
from headrace.worker import importer
from headrace.worker.boot import Boot
from headrace.worker.errors import StartupError
boot = {"id": "i", "token": "t", "control": "/c", "listen": "/l", **json.loads(sys.argv[1])}
try:
    loaded = importer.load(Boot.from_dict(boot))
    print(loaded.app(None))
except StartupError as error:
    print(error.message)
"""


class Kept(Platform):
    """A folder `app` as it is on disk, and a folder `kept` as the revision knows it."""

    def run(self, app: str = "main.py") -> str:
        there, kept = os.path.join(self.folder, "app"), os.path.join(self.folder, "kept")
        boot = {"app": app, "app_dir": there, "interface": "function", "sources": [{"folder": there, "kept": kept}]}
        command = [sys.executable, "-I", "-c", SCRIPT, json.dumps(boot), HOME]
        out = subprocess.run(command, cwd=there, capture_output=True, timeout=60, check=False)
        assert out.returncode == 0, out.stderr.decode()
        return out.stdout.decode().strip()

    def both(self, name: str, text: str) -> None:
        self.write(f"app/{name}", text)
        self.write(f"kept/{name}", text)


@pytest.fixture
def world() -> Iterator[Kept]:
    kept = Kept()
    with kept:
        yield kept


def test_what_has_not_changed_is_imported_as_ever_with_its_bytecode(world: Kept) -> None:
    world.both("main.py", "import part\ndef handler(request): return part.NAME\n")
    world.both("part.py", "NAME = 'same'\n")
    assert world.run() == "same"
    cached = os.listdir(os.path.join(world.folder, "app", "__pycache__"))
    assert any(name.startswith("part.") for name in cached)
    assert world.run() == "same"


@pytest.mark.parametrize("target", ["main.py", "main:handler", "pkg/entry.py", "pkg.entry"])
def test_what_has_changed_is_as_the_revision_knows_it_under_the_path_that_it_has(world: Kept, target: str) -> None:
    entry = "import os\nfrom pkg.deep import part\ndef handler(request): return part.NAME + ' ' + os.path.relpath(__file__)\n"
    for name in ("main.py", "pkg/entry.py"):
        world.write(f"kept/{name}", entry)
        world.write(f"app/{name}", "raise RuntimeError('the new text')\n")
    world.both("pkg/__init__.py", "")
    world.both("pkg/deep/__init__.py", "")
    world.write("kept/pkg/deep/part.py", "NAME = 'old'\n")
    world.write("app/pkg/deep/part.py", "NAME = 'new'\n")
    name = "pkg/entry.py" if "entry" in target else "main.py"
    assert world.run(target) == f"old {name}"
    # Nothing of the old text is left where the new one would be taken for it.
    assert world.run(target) == f"old {name}"
    cached = [file for _, _, files in os.walk(os.path.join(world.folder, "app")) for file in files if file.startswith("part.c")]
    assert cached == []


def test_bytecode_of_the_new_text_is_not_the_old_one(world: Kept) -> None:
    world.both("main.py", "import part\ndef handler(request): return part.NAME\n")
    world.write("kept/part.py", "NAME = 'old'\n")
    world.write("app/part.py", "NAME = 'new'\n")
    subprocess.run([sys.executable, "-m", "compileall", "-q", os.path.join(world.folder, "app")], check=True)
    assert world.run() == "old"


def test_files_that_are_gone_are_found_and_files_that_came_later_are_not(world: Kept) -> None:
    names = "import gone, gonepkg.inner, space.inner\n"
    world.write("kept/main.py", names + "handler = lambda request: gone.NAME + gonepkg.inner.NAME\n")
    world.write("kept/gone.py", "NAME = 'a'\n")
    world.write("kept/gonepkg/__init__.py", "")
    world.write("kept/gonepkg/inner.py", "NAME = 'b'\n")
    world.write("kept/space/inner.py", "")
    world.write("app/later.py", "")
    assert world.run("main.py:handler") == "ab"
    world.write("kept/main.py", "import later\nhandler = lambda request: ''\n")
    assert "No module named 'later'" in world.run("main.py:handler")
    # A package of the name of a module that there was would come first on disk.
    world.write("kept/main.py", "import gone\nhandler = lambda request: gone.NAME\n")
    world.write("app/gone/__init__.py", "NAME = 'package'\n")
    assert world.run("main.py:handler") == "a"


def test_what_lies_beside_the_code_is_what_is_on_disk(world: Kept) -> None:
    text = "import os\nhandler = lambda request: open(os.path.join(os.path.dirname(__file__), 'data.txt')).read()\n"
    world.write("kept/main.py", text)
    world.write("app/main.py", "")
    world.write("app/data.txt", "today's")
    assert world.run("main.py:handler") == "today's"


def test_tracebacks_quote_the_text_that_runs(world: Kept) -> None:
    world.both("main.py", "import part\ndef handler(request): return part.trace()\n")
    attempt = "    try:\n        1 / 0  # old\n    except Exception:\n        return traceback.format_exc()\n"
    old = "import traceback\ndef trace():\n" + attempt
    world.write("kept/part.py", old)
    world.write("app/part.py", "new = 1\n" * 9)
    assert "1 / 0  # old" in world.run()


def test_packages_are_listed_as_the_revision_knows_them(world: Kept) -> None:
    text = "import importlib, pkgutil, plugins\nnames = [m.name for m in pkgutil.iter_modules(plugins.__path__)]\n"
    world.both(
        "main.py", text + "for n in names: importlib.import_module('plugins.' + n)\nhandler = lambda request: ' '.join(names)\n"
    )
    world.both("plugins/__init__.py", "")
    world.both("plugins/one.py", "")
    world.both("plugins/deep/__init__.py", "")
    world.write("kept/plugins/gone.py", "")
    world.write("app/plugins/later.py", "raise RuntimeError('of a later revision')\n")
    assert world.run("main.py:handler") == "deep gone one"
