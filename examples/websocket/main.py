"""A chat in one file: Starlette, a WebSocket, a small page. Open it in two windows."""

import contextlib
import pathlib

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

PAGE = pathlib.Path(__file__).parent / "page.html"


class Room:
    """Everyone who is connected to this instance."""

    def __init__(self) -> None:
        self.members: dict[WebSocket, str] = {}

    async def say(self, sender: str, text: str) -> None:
        for member in list(self.members):
            # Whoever left meanwhile is taken out by its own handler.
            with contextlib.suppress(WebSocketDisconnect, RuntimeError, OSError):
                await member.send_json({"from": sender, "text": text})


room = Room()


async def chat(websocket: WebSocket) -> None:
    name = websocket.query_params.get("name", "").strip()
    if not name or len(name) > 20:
        await websocket.send_denial_response(JSONResponse({"error": "say who you are: ?name=..."}, 400))
        return
    await websocket.accept()
    room.members[websocket] = name
    await room.say("room", f"{name} came in")
    try:
        while True:
            await room.say(name, await websocket.receive_text())
    except WebSocketDisconnect:
        pass
    finally:
        del room.members[websocket]
        await room.say("room", f"{name} left")


async def page(request: Request) -> FileResponse:
    return FileResponse(PAGE)


app = Starlette(routes=[Route("/", page), WebSocketRoute("/chat", chat)])
