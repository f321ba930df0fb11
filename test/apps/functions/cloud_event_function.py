import os

import functions_framework


@functions_framework.cloud_event
def take(event):
    with open(os.environ["FUNCTION_LOG"], "a", encoding="utf-8") as log:
        log.write(f"{event['type']} {event['id']} {event.data}\n")
