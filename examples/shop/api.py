"""The shop's API: an ASGI app in FastAPI, which sees its paths without `/api`."""

import os

from fastapi import FastAPI

app = FastAPI(title="Shop API")


@app.get("/items")
async def items() -> dict[str, object]:
    return {"items": ["millstone", "paddle"], "currency": os.environ["CURRENCY"]}
