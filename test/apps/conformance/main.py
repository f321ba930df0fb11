"""The functions that functions-framework-conformance calls: each writes what it received to function_output.json.

OUTPUT names another file. See README.md for how to run the suite against a gateway.
"""

import json
import os
import time

import functions_framework
from cloudevents.http import to_json


def write(text):
    with open(os.environ.get("OUTPUT", "function_output.json"), "w", encoding="utf-8") as file:
        file.write(text)


def write_http(request):
    write(json.dumps(request.get_json(force=True)))
    return "OK"


def write_legacy_event(data, context):
    write(
        json.dumps(
            {
                "data": data,
                "context": {
                    "eventId": context.event_id,
                    "timestamp": context.timestamp,
                    "eventType": context.event_type,
                    "resource": context.resource,
                },
            }
        )
    )


def write_cloud_event(cloud_event):
    cloud_event["datacontenttype"] = "application/json"
    write(to_json(cloud_event).decode())


@functions_framework.http
def write_http_declarative(request):
    return write_http(request)


@functions_framework.cloud_event
def write_cloud_event_declarative(cloud_event):
    write_cloud_event(cloud_event)


@functions_framework.http
def write_http_declarative_concurrent(request):
    time.sleep(1)
    return "OK"


class Echo:
    """The input and, wrapped once more, the output of the typed function."""

    def __init__(self, content):
        self.content = content

    @staticmethod
    def from_dict(content):
        return Echo(content)

    def to_dict(self):
        return {"payload": self.content}


@functions_framework.typed(Echo)
def typed_conformance_test(message):
    return message
