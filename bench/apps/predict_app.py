"""The smallest model server: POST /predict gives back the number of the query."""

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Query(BaseModel):
    number: int


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/predict")
async def predict(query: Query) -> dict[str, int]:
    return {"number": query.number}
