"""The contract of test/system/frameworks.test.ts in Quart."""

from quart import Quart, jsonify, request, websocket

app = Quart(__name__)
DONE = []


@app.get("/hello/<name>")
async def hello(name):
    return f"hello {name}"


@app.post("/echo")
async def echo():
    return await request.get_data(), 200, {"content-type": request.headers["content-type"]}


@app.get("/stream")
async def stream():
    async def pieces():
        for n in range(5):
            yield f"{n} ".encode()

    return pieces(), 200


@app.get("/background")
async def background():
    app.add_background_task(remember)
    return "soon"


async def remember():
    DONE.append("done")


@app.get("/done")
async def done():
    return jsonify(DONE)


@app.websocket("/ws")
async def socket():
    while True:
        await websocket.send((await websocket.receive()).upper())
