"""A FastAPI app as they are written: validated parameters, a model of the answer, 10 KB of JSON."""

from typing import Annotated

from fastapi import FastAPI, Path, Query
from pydantic import BaseModel, Field

app = FastAPI()


class Product(BaseModel):
    number: int
    name: str
    tags: list[str]
    price: Annotated[float, Field(ge=0)]
    available: bool


class Page(BaseModel):
    shelf: int
    query: str
    products: list[Product]


@app.get("/")
async def index() -> dict[str, str]:
    return {"message": "Hello, world!"}


@app.get("/shelves/{shelf}")
async def products(
    shelf: Annotated[int, Path(ge=1, le=1000)],
    q: Annotated[str, Query(max_length=50)] = "",
    count: Annotated[int, Query(ge=1, le=200)] = 112,
) -> Page:
    found = [
        Product(number=1000 + n, name=f"{q} {1000 + n}", tags=["fresh", "local"], price=2.5, available=True)
        for n in range(count)
    ]
    return Page(shelf=shelf, query=q, products=found)
