"""Which apps cannot be there is said without an import of theirs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest

from headrace.project import whereabouts

FILES: Dict[str, str] = {
    "main.py": "raise RuntimeError('imported')\napp = 1\ndef make(): pass\n",
    "shop/__init__.py": "raise RuntimeError('imported')\nfrom .core import thing\n",
    "shop/main.py": "import os.path as path\napp: int = 1\nif True:\n    other = app\n",
    "shop/inner/deep.py": "app = 1\n",
    "dynamic/__init__.py": "import sys\nsys.modules[__name__ + '.made'] = sys\n",
    "star.py": "from os.path import *\n",
    "getter.py": "def __getattr__(name): return name\n",
    "late.py": "globals()['app'] = 1\n",
    "broken.py": "def (:\n",
    "space/part.py": "app = 1\n",
    "given/__init__.py": "from . import web\nweb.app = 1\n",
    "given/web.py": "",
    "late_global.py": "def setup():\n    global app\n    app = 1\nsetup()\n",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def ask(root: Path, *apps: str) -> List[Optional[Dict[str, Any]]]:
    asked = []
    for app in apps:
        place, _, attribute = app.partition(":")
        asked.append({"app": place, "attribute": attribute, "start": str(root), "dir": str(root)})
    script = whereabouts.__file__
    assert script is not None
    done = subprocess.run([sys.executable, script], input=json.dumps(asked), capture_output=True, text=True, check=True)
    assert done.stderr == ""
    answers: List[Optional[Dict[str, Any]]] = json.loads(done.stdout)
    return answers


def test_what_is_there_or_may_be(project: Path) -> None:
    apps = [
        *["main", "main:app", "main:make", "main.py:app", "main.py", "./shop/main.py:other", "gone.py:app"],
        *["shop.main:app", "shop.main:app.inner", "shop.main:path", "shop:thing", "shop:main", "shop:__doc__"],
        *["shop.inner.deep:app", "space.part:app", "dynamic.made:app", "star:app", "getter:app", "late:app"],
        *[
            "broken:app",
            "late_global:app",
            "given.web:app",
            "given/web.py:app",
            "json.decoder:JSONDecoder",
            "sys:exit",
            "flask:Flask",
            "os.path:join",
        ],
    ]
    assert dict(zip(apps, ask(project, *apps))) == dict.fromkeys(apps)


@pytest.mark.parametrize(
    "app, kind, name",
    [
        ("nope", "module", "nope"),
        ("nope.main:app", "module", "nope"),
        ("shop.nope:app", "module", "shop.nope"),
        ("shop.inner.nope:app", "module", "shop.inner.nope"),
        ("shop.main.sub:app", "module", "shop.main.sub"),
        ("space.nope:app", "module", "space.nope"),
        ("json.nope:app", "module", "json.nope"),
        ("main:ap", "attribute", "ap"),
        ("main.py:ap", "attribute", "ap"),
        ("shop.main:ap", "attribute", "ap"),
        ("shop:ap", "attribute", "ap"),
    ],
)
def test_what_is_missing(project: Path, app: str, kind: str, name: str) -> None:
    (answer,) = ask(project, app)
    assert answer is not None
    assert (answer["kind"], answer["name"]) == (kind, name)


def test_names_for_a_hint(project: Path) -> None:
    (answer,) = ask(project, "shop.main:ap")
    assert answer is not None
    assert answer["names"] == ["app", "path"]


def test_each_app_has_its_own_folder(project: Path) -> None:
    asked = [
        {"app": "main", "attribute": "app", "start": "/", "dir": str(project)},
        {"app": "main", "attribute": "app", "start": "/", "dir": str(project / "shop")},
        {"app": "deep", "attribute": "app", "start": "/", "dir": str(project)},
    ]
    script = whereabouts.__file__
    assert script is not None
    done = subprocess.run([sys.executable, script], input=json.dumps(asked), capture_output=True, text=True, check=True)
    assert [answer and answer["name"] for answer in json.loads(done.stdout)] == [None, None, "deep"]
