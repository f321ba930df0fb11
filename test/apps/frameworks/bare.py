"""The contract of test/system/frameworks.test.ts without a framework: an ASGI 2 double callable and a WSGI class."""


def reply(method, path, body):
    if path.startswith("/hello/"):
        return 200, f"hello {path[len('/hello/') :]}".encode()
    if path == "/echo" and method == "POST":
        return 200, body
    if path == "/stream":
        return 200, b"0 1 2 3 4 "
    return 404, b"nothing here"


class Asgi2:
    """ASGI 2: called with the scope first, then with receive and send."""

    def __init__(self, scope):
        self.scope = scope

    async def __call__(self, receive, send):
        if self.scope["type"] != "http":
            raise ValueError(self.scope["type"])
        body, more = b"", True
        while more:
            event = await receive()
            body += event.get("body", b"")
            more = event.get("more_body", False)
        status, text = reply(self.scope["method"], self.scope["path"], body)
        kind = dict(self.scope["headers"]).get(b"content-type", b"text/plain")
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": text})


class Wsgi:
    """WSGI as a class: an instance is the iterable."""

    def __init__(self, environ, start_response):
        self.environ = environ
        self.start_response = start_response

    def __iter__(self):
        body = self.environ["wsgi.input"].read()
        status, text = reply(self.environ["REQUEST_METHOD"], self.environ["PATH_INFO"], body)
        kind = self.environ.get("CONTENT_TYPE") or "text/plain"
        self.start_response(f"{status} {'OK' if status == 200 else 'Not Found'}", [("Content-Type", kind)])
        yield text
