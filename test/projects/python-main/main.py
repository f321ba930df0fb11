import os

import uvicorn
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def root() -> str:
    return "served: python-main"


if __name__ == "__main__":
    uvicorn.run("main:app", host="0.0.0.0", port=int(os.environ["PORT"]), workers=2, timeout_keep_alive=5)
