"""The contract of test/system/frameworks.test.ts in FastAPI."""

from fastapi import BackgroundTasks, FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import PlainTextResponse, StreamingResponse

app = FastAPI()
DONE = []


@app.get("/hello/{name}", response_class=PlainTextResponse)
def hello(name: str):
    """A plain `def`: FastAPI runs it on a thread."""
    return f"hello {name}"


@app.post("/echo")
async def echo(request: Request):
    return Response(await request.body(), media_type=request.headers.get("content-type"))


@app.get("/stream")
async def stream():
    async def pieces():
        for n in range(5):
            yield f"{n} "

    return StreamingResponse(pieces())


@app.get("/background", response_class=PlainTextResponse)
async def background(tasks: BackgroundTasks):
    tasks.add_task(DONE.append, "done")
    return "soon"


@app.get("/done")
async def done():
    return DONE


@app.websocket("/ws")
async def socket(websocket: WebSocket):
    await websocket.accept()
    try:
        while True:
            await websocket.send_text((await websocket.receive_text()).upper())
    except WebSocketDisconnect:
        pass
