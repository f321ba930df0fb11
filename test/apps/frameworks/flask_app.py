"""The contract of test/system/frameworks.test.ts in Flask."""

from flask import Flask, Response, request

app = Flask(__name__)


@app.get("/hello/<name>")
def hello(name):
    return f"hello {name}"


@app.post("/echo")
def echo():
    return Response(request.get_data(), content_type=request.headers["content-type"])


@app.get("/stream")
def stream():
    return Response(f"{n} " for n in range(5))
