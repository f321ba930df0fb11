"""A Flask app with one small answer, one that waits and one that computes."""

import time

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index() -> str:
    return "Hello, world!"


@app.get("/slow")
def slow() -> str:
    time.sleep(0.1)
    return "slept"
