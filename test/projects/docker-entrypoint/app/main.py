from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route


def index(_: Request) -> PlainTextResponse:
    return PlainTextResponse("served: docker-entrypoint")


app = Starlette(routes=[Route("/", index)])
