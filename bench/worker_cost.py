"""What one request costs the Python worker in processor time, beside uvicorn (httptools, uvloop) with the same app.

    .venv/bin/python bench/worker_cost.py [--requests 100000] [--app raw|starlette|fastapi] [--flight 64] [--rounds 3]

The worker is driven over its Unix socket with `flight` requests in flight on one connection, as a gateway does; uvicorn over
HTTP with as many keep-alive connections. Both serve a short text to a GET with the headers of a browser. Counted is user plus
system time of the server process alone (the load generator's own time does not matter). Prints microseconds per request, and the ratio.
"""

from __future__ import annotations

import argparse
import os
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Callable

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "python", "tests"))

from gateway_end import Gateway, f  # noqa: E402
from harness import Platform  # noqa: E402

APPS = {
    "raw": """
        HEADERS = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"13")]
        async def app(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            await send({"type": "http.response.body", "body": b"Hello, world!"})
    """,
    "starlette": """
        from starlette.applications import Starlette
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route
        async def hello(request):
            return PlainTextResponse("Hello, world!")
        app = Starlette(routes=[Route("/items", hello)])
    """,
    "fastapi": """
        from fastapi import FastAPI
        app = FastAPI()
        @app.get("/items")
        async def hello(q: str = "") -> dict:
            return {"hello": "world", "q": q}
    """,
}
TARGET = "/items?q=headrace&page=2"
HEADERS = [
    ("host", "shop.example:8080"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-language", "en-US,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("cookie", "session=4f1c2d3e5a6b7c8d9e0f; theme=dark"),
]
_TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User plus system time of a process: from schedstat where there is one (nanoseconds), else in clock ticks."""
    total = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
        if total:
            return total / 1e9
    except OSError:
        pass
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def measure(pid: int, requests: int, drive: Callable[[int], None]) -> float:
    """Microseconds of the server's processor time per request."""
    drive(requests // 10 + 64)
    before = cpu_seconds(pid)
    drive(requests)
    return (cpu_seconds(pid) - before) / requests * 1e6


def drive_worker(gateway: Gateway, flight: int) -> Callable[[int], None]:
    """Closed loop over the worker protocol: each DONE is answered with a new request."""
    fields = [
        "GET",
        TARGET,
        "127.0.0.1 40000 127.0.0.1 8080",
        "0123456789abcdef0123456789abcdef",
        "30000",
        "",
    ]
    for name, value in HEADERS:
        fields += [name, value]
    payload = "\0".join(fields).encode()
    template = f.frame(f.REQUEST, f.FLAG_END, 1, payload)
    head, tail = template[:4], template[8:]
    last = [0]

    def drive(requests: int) -> None:
        sock = gateway.socket
        sent = done = 0
        rest = b""
        due = flight
        while done < requests:
            due = min(due, requests - sent)
            if due:
                first = last[0] + 1
                sock.sendall(
                    b"".join([head + n.to_bytes(4, "big") + tail for n in range(first, first + due)])
                )
                last[0] += due
                sent += due
            data = rest + sock.recv(1 << 18)
            at = due = 0
            while len(data) - at >= 10:
                length = int.from_bytes(data[at : at + 4], "big")
                if len(data) - at - 10 < length:
                    break
                due += data[at + 9] >> 7
                at += 10 + length
            rest = data[at:]
            done += due

    return drive


def drive_http(address: tuple[str, int], flight: int) -> Callable[[int], None]:
    """Closed loop over HTTP/1.1 with `flight` keep-alive connections."""
    lines = [f"GET {TARGET} HTTP/1.1"] + [f"{name}: {value}" for name, value in HEADERS]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    socks: dict[int, socket.socket] = {}
    partial: dict[int, bytes] = {}
    poller = select.epoll()
    for _ in range(flight):
        sock = socket.create_connection(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        socks[sock.fileno()] = sock
        poller.register(sock.fileno(), select.EPOLLIN)

    def drive(requests: int) -> None:
        sent = done = 0
        for sock in socks.values():
            sock.sendall(request)
            sent += 1
        while done < sent:
            for number, _ in poller.poll():
                data = partial.pop(number, b"") + socks[number].recv(65536)
                assert data.startswith(b"HTTP/1.1 200"), data
                head, _, body = data.partition(b"\r\n\r\n")
                if len(body) < int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]):
                    partial[number] = data
                    continue
                done += 1
                if sent < requests:
                    socks[number].sendall(request)
                    sent += 1

    return drive


def uvicorn_cost(folder: str, requests: int, flight: int) -> float:
    """Start uvicorn, measure, stop it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [
        "--http",
        "httptools",
        "--loop",
        "uvloop",
        "--no-access-log",
        "--log-level",
        "warning",
        "--port",
        str(port),
    ]
    process = subprocess.Popen([sys.executable, "-m", "uvicorn", *options, "app:app"], cwd=folder)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        return measure(process.pid, requests, drive_http(("127.0.0.1", port), flight))
    finally:
        process.terminate()
        process.wait()


def worker_cost(source: str, requests: int, flight: int) -> float:
    """Start a worker, measure, stop it."""
    with Platform() as platform:
        instance = platform.start("app.py", source, loop="auto", table=True)
        gateway = instance.connect()
        cost = measure(instance.process.pid, requests, drive_worker(gateway, flight))
        gateway.close()
        assert instance.stop() == 0
        return cost


def main() -> None:
    """Run alternating rounds and print medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=100000)
    parser.add_argument("--app", choices=[*APPS], default="raw")
    parser.add_argument("--flight", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    source = APPS[options.app]
    ours: list[float] = []
    theirs: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        import textwrap

        with open(os.path.join(folder, "app.py"), "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(source))
        for _ in range(options.rounds):
            ours.append(worker_cost(source, options.requests, options.flight))
            theirs.append(uvicorn_cost(folder, options.requests, options.flight))
            print(f"worker {ours[-1]:6.2f} µs   uvicorn {theirs[-1]:6.2f} µs", flush=True)
    mine, other = statistics.median(ours), statistics.median(theirs)
    print(
        f"{options.app}, {options.flight} in flight: worker {mine:.2f} µs, uvicorn {other:.2f} µs, ratio {mine / other:.2f}"
    )


if __name__ == "__main__":
    main()
