import functions_framework
from flask import Request


@functions_framework.http
def hello(_: Request) -> str:
    return "served: hello"


@functions_framework.cloud_event
def on_upload(event: object) -> None:
    print(event)
