"""How a story's app talks to the story: over a Unix socket, one connection a call.

The app says "begin KEY PID" and waits for "go". The story sees each call begin, sees it end when the connection closes
(also when the process is killed), and decides when it may go on. So a story waits on events instead of on time, and it
counts the calls that run at once by itself instead of believing a metric.
"""

import asyncio
import os
import socket

PATH = os.environ.get("STAGE", "")


def line(key):
    return f"begin {key} {os.getpid()}\n".encode()


class Call:
    """One call of an async app on the stage."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    @classmethod
    async def begin(cls, key):
        reader, writer = await asyncio.open_unix_connection(PATH)
        writer.write(line(key))
        await writer.drain()
        return cls(reader, writer)

    async def told(self):
        """The next word of the story: "go", or "" when it is over."""
        return (await self.reader.readline()).decode().strip()

    def say(self, text):
        self.writer.write(f"{text}\n".encode())

    async def end(self):
        """Returns once the story has taken note, so that it never counts a call that is over."""
        self.say("end")
        await self.reader.readline()
        self.writer.close()


class SyncCall:
    """The same for sync apps."""

    def __init__(self, key):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(PATH)
        self.socket.sendall(line(key))
        self.lines = self.socket.makefile("rb")

    def told(self):
        return self.lines.readline().decode().strip()

    def say(self, text):
        self.socket.sendall(f"{text}\n".encode())

    def end(self):
        self.say("end")
        self.lines.readline()
        self.lines.close()
        self.socket.close()
