"""A small shop in FastAPI: validation, a 10 KB answer, background work, lifespan state and SSE."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, TypedDict

from fastapi import BackgroundTasks, FastAPI, HTTPException, Path, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field


class Item(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=80)]
    price: Annotated[float, Field(gt=0)]
    tags: list[str] = []


class Shop:
    """What every request of one instance shares."""

    def __init__(self) -> None:
        self.items: dict[int, Item] = {}
        self.journal: list[str] = []

    def add(self, item: Item) -> int:
        number = len(self.items) + 1
        self.items[number] = item
        return number


class State(TypedDict):
    shop: Shop


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[State]:
    """Runs once in each instance, before its first request; what it yields is on every `request.state`."""
    shop = Shop()
    shop.add(Item(name="millstone", price=120.0, tags=["stone"]))
    yield {"shop": shop}
    shop.items.clear()


app = FastAPI(title="Shop", lifespan=lifespan)


@app.get("/")
async def index() -> dict[str, str]:
    return {"shop": "open", "docs": "/docs"}


@app.get("/items/{number}")
async def read_item(request: Request, number: Annotated[int, Path(ge=1)]) -> Item:
    try:
        return request.state.shop.items[number]
    except KeyError:
        raise HTTPException(404, f"there is no item {number}") from None


@app.post("/items", status_code=201)
async def add_item(request: Request, item: Item, background: BackgroundTasks) -> dict[str, int]:
    """Answers at once; the journal is written after the client has its answer."""
    shop: Shop = request.state.shop
    number = shop.add(item)
    background.add_task(shop.journal.append, f"added {number}: {item.name}")
    return {"number": number}


@app.get("/journal")
async def journal(request: Request) -> list[str]:
    return request.state.shop.journal


@app.get("/catalogue")
async def catalogue() -> list[Item]:
    """About 10 KB of JSON."""
    return [Item(name=f"item {n}", price=n + 0.5, tags=["blue", "large"]) for n in range(160)]


@app.get("/ticks")
async def ticks(count: int = 3) -> StreamingResponse:
    """Server-sent events: each one leaves as soon as it is made."""

    async def events() -> AsyncIterator[str]:
        for n in range(count):
            yield f"event: tick\ndata: {n}\n\n"
            await asyncio.sleep(0.02)

    return StreamingResponse(events(), media_type="text/event-stream", headers={"cache-control": "no-store"})
