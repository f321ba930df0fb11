"""The shop's API: an ASGI app in FastAPI, which sees its paths without `/api` and calls another service by name."""

import os
import urllib.parse
import urllib.request

import headrace
from fastapi import FastAPI

app = FastAPI(title="Shop API")


@app.get("/items")
async def items() -> dict[str, object]:
    return {"items": ["millstone", "paddle"], "currency": os.environ["CURRENCY"]}


@app.get("/items/{name}/thumbnail")
def thumbnail(name: str) -> dict[str, str]:
    """Asks the service thumbnails, which may have to be started for it. It has as long as this request has left."""
    url = headrace.service_url("thumbnails", f"/?of={urllib.parse.quote(name)}")
    request = urllib.request.Request(url, headers=headrace.context_headers())
    with urllib.request.urlopen(request, timeout=headrace.remaining()) as response:
        return {"item": name, "image": response.read().decode()}
