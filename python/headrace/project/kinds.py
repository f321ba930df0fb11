"""What frameworks call their apps."""

from __future__ import annotations

#: Calls that make an app, by full name: the framework and the interface.
MAKERS = {
    "fastapi.FastAPI": ("FastAPI", "asgi"),
    "fastapi.applications.FastAPI": ("FastAPI", "asgi"),
    "starlette.applications.Starlette": ("Starlette", "asgi"),
    "quart.Quart": ("Quart", "asgi"),
    "litestar.Litestar": ("Litestar", "asgi"),
    "litestar.app.Litestar": ("Litestar", "asgi"),
    "sanic.Sanic": ("Sanic", "asgi"),
    "blacksheep.Application": ("BlackSheep", "asgi"),
    "channels.routing.ProtocolTypeRouter": ("Django Channels", "asgi"),
    "django.core.asgi.get_asgi_application": ("Django", "asgi"),
    "django.core.wsgi.get_wsgi_application": ("Django", "wsgi"),
    "socketio.ASGIApp": ("Socket.IO", "asgi"),
    "socketio.WSGIApp": ("Socket.IO", "wsgi"),
    "falcon.asgi.App": ("Falcon", "asgi"),
    "falcon.App": ("Falcon", "wsgi"),
    "falcon.API": ("Falcon", "wsgi"),
    "flask.Flask": ("Flask", "wsgi"),
    "flask.app.Flask": ("Flask", "wsgi"),
    "apiflask.APIFlask": ("Flask", "wsgi"),
    "flask_openapi3.OpenAPI": ("Flask", "wsgi"),
    "connexion.FlaskApp": ("Connexion", "wsgi"),
    "connexion.AsyncApp": ("Connexion", "asgi"),
    "bottle.Bottle": ("Bottle", "wsgi"),
    "bottle.default_app": ("Bottle", "wsgi"),
}

#: What serves HTTP, but neither speaks ASGI nor WSGI.
OTHERS = {
    "aiohttp.web.Application": "aiohttp",
    "tornado.web.Application": "Tornado",
    "robyn.Robyn": "Robyn",
}

#: Decorators of functions-framework, and how such a function is called.
DECORATORS = {
    "functions_framework.http": "http",
    "functions_framework.cloud_event": "cloudevent",
    "functions_framework.typed": "typed",
}

#: Functions that, by their names, are asked for an app.
FACTORY_NAMES = frozenset(
    ["create_app", "make_app", "build_app", "get_app", "create_application", "get_application", "app_factory"]
)
