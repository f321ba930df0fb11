import json
import os


def take(data, context):
    """A legacy background function: --signature-type event."""
    with open(os.environ["FUNCTION_LOG"], "a", encoding="utf-8") as log:
        log.write(json.dumps({"data": data, "id": context.event_id, "type": context.event_type}) + "\n")
