"""As main.py, for asynchronous functions."""

import asyncio
import json
import os

import functions_framework.aio
from cloudevents.http import to_json


def write(text):
    with open(os.environ.get("OUTPUT", "function_output.json"), "w", encoding="utf-8") as file:
        file.write(text)


@functions_framework.aio.http
async def write_http_async(request):
    write(json.dumps(await request.json()))
    return "OK"


@functions_framework.aio.cloud_event
async def write_cloud_event_async(cloud_event):
    cloud_event["datacontenttype"] = "application/json"
    write(to_json(cloud_event).decode())


@functions_framework.aio.http
async def write_http_async_concurrent(request):
    await asyncio.sleep(1)
    return "OK"
