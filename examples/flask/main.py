"""A guest book in Flask: a form, a redirect, an upload that is read as it arrives, and a streamed answer."""

import hashlib
from collections.abc import Iterator

from flask import Flask, Response, abort, jsonify, redirect, render_template_string, request, url_for

app = Flask(__name__)
entries: list[str] = []

PAGE = """<!doctype html>
<title>Guest book</title>
<h1>Guest book</h1>
<ul>{% for entry in entries %}<li>{{ entry }}</li>{% endfor %}</ul>
<form method="post"><input name="entry" maxlength="200" required> <button>Sign</button></form>
"""


@app.get("/")
def show() -> str:
    return render_template_string(PAGE, entries=entries)


@app.post("/")
def sign() -> Response:
    entry = request.form.get("entry", "").strip()
    if not entry:
        abort(400, "write something")
    entries.append(entry)
    return redirect(url_for("show"), 303)


@app.get("/hello/<name>")
def hello(name: str) -> Response:
    return jsonify(hello=name)


@app.put("/digest")
def digest() -> Response:
    """Hashes an upload of any size in constant memory."""
    sha = hashlib.sha256()
    size = 0
    while chunk := request.stream.read(65536):
        sha.update(chunk)
        size += len(chunk)
    return jsonify(size=size, sha256=sha.hexdigest())


@app.get("/numbers/<int:count>")
def numbers(count: int) -> Response:
    def lines() -> Iterator[str]:
        for n in range(count):
            yield f"{n}\n"

    return Response(lines(), mimetype="text/plain")
