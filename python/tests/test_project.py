"""What headrace init sees in a module."""

import ast
import textwrap
from typing import Any, Dict, List, Tuple

import pytest

from headrace.project.module import Module, Reader, settings


def read(source: str) -> Module:
    return Reader(ast.parse(textwrap.dedent(source))).read()


def apps(source: str) -> List[Tuple[str, str, str, bool]]:
    return [(app["attribute"], app["framework"], app["interface"], app["factory"]) for app in read(source)["apps"]]


@pytest.mark.parametrize(
    "source, expected",
    [
        ("from fastapi import FastAPI\napp = FastAPI()", ("app", "FastAPI", "asgi", False)),
        ("import fastapi as f\napi: f.FastAPI = f.FastAPI()", ("api", "FastAPI", "asgi", False)),
        ("from flask import Flask as F\na = application = F(__name__)", ("a", "Flask", "wsgi", False)),
        ("import falcon.asgi\napp = falcon.asgi.App()", ("app", "Falcon", "asgi", False)),
        (
            "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()",
            ("application", "Django", "wsgi", False),
        ),
        ("async def app(scope, receive, send):\n    pass", ("app", "ASGI", "asgi", False)),
        ("def application(environ, start_response):\n    pass", ("application", "WSGI", "wsgi", False)),
        ("from shop import create_app\napp = create_app()", ("app", "", "", False)),
        (
            "try:\n    from quart import Quart\n    app = Quart('a')\nexcept ImportError:\n    raise",
            ("app", "Quart", "asgi", False),
        ),
        (
            "from pyramid.config import Configurator\nconfig = Configurator()\napp = config.make_wsgi_app()",
            ("app", "Pyramid", "wsgi", False),
        ),
    ],
)
def test_one_app(source: str, expected: Tuple[str, str, str, bool]) -> None:
    assert apps(source)[0] == expected


def test_factories() -> None:
    found = apps(
        """
        from fastapi import FastAPI

        def made_inside() -> object:
            app = FastAPI()
            return app

        def by_annotation() -> FastAPI:
            return build()

        def imports_late(debug=False):
            from flask import Flask
            return Flask("a")

        def needs_something(x):
            return FastAPI()

        async def asynchronous():
            return FastAPI()

        def endless():
            return endless()

        app = made_inside()
        """
    )
    assert found == [
        ("app", "FastAPI", "asgi", False),
        ("made_inside", "FastAPI", "asgi", True),
        ("by_annotation", "FastAPI", "asgi", True),
        ("imports_late", "Flask", "wsgi", True),
    ]


def test_wrappers_keep_the_name() -> None:
    found = apps(
        """
        from flask import Flask
        from asgiref.wsgi import WsgiToAsgi
        from werkzeug.middleware.proxy_fix import ProxyFix
        app = Flask("a")
        app = ProxyFix(app)
        web = WsgiToAsgi(app)
        """
    )
    assert found == [("app", "Flask", "wsgi", False), ("web", "Flask", "asgi", False)]


def test_nothing_of_what_is_not_run_on_import() -> None:
    assert (
        apps(
            """
            from fastapi import FastAPI
            class Holder:
                app = FastAPI()
            if __name__ == "__main__":
                app = FastAPI()
            """
        )
        == []
    )


def test_functions_and_launches_and_others() -> None:
    found = read(
        """
        import functions_framework, uvicorn
        from functions_framework import cloud_event
        from aiohttp import web

        @functions_framework.http
        def hello(request): ...

        @cloud_event
        def event(e): ...

        server = web.Application()
        if __name__ == "__main__":
            uvicorn.run("main:app", port=80, workers=WORKERS)
        """
    )
    assert [(f["attribute"], f["signature"]) for f in found["functions"]] == [("hello", "http"), ("event", "cloudevent")]
    assert found["others"] == [("aiohttp", 12)]
    launch: Dict[str, Any] = dict(found["launches"][0])
    assert (launch["app"], launch["options"], launch["unknown"]) == ("main:app", {"port": 80}, ["workers=WORKERS"])


def test_settings() -> None:
    source = "import os\nbind = ':80'\nworkers = os.cpu_count()\ntimeout: int = 3\nraw_env = ['A=1']\n"
    assert [(s["name"], s["value"], s["source"]) for s in settings(ast.parse(source))] == [
        ("bind", ":80", "':80'"),
        ("workers", None, "os.cpu_count()"),
        ("timeout", 3, "3"),
        ("raw_env", None, "['A=1']"),
    ]
