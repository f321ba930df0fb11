"""The contract of test/system/frameworks.test.ts in Starlette."""

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute

DONE = []


async def hello(request):
    return PlainTextResponse(f"hello {request.path_params['name']}")


async def echo(request):
    return Response(await request.body(), media_type=request.headers.get("content-type"))


async def stream(request):
    async def pieces():
        for n in range(5):
            yield f"{n} "

    return StreamingResponse(pieces())


async def background(request):
    return PlainTextResponse("soon", background=BackgroundTask(DONE.append, "done"))


async def done(request):
    return JSONResponse(DONE)


async def socket(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text.upper())


app = Starlette(
    routes=[
        Route("/hello/{name}", hello),
        Route("/echo", echo, methods=["POST"]),
        Route("/stream", stream),
        Route("/background", background),
        Route("/done", done),
        WebSocketRoute("/ws", socket),
    ]
)
