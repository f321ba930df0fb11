"""A FastAPI app with one path parameter and a small JSON answer."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def index() -> dict[str, str]:
    return {"message": "Hello, world!"}


@app.get("/items/{number}")
async def item(number: int, q: str = "") -> dict[str, object]:
    return {"number": number, "q": q}
