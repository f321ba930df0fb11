"""predict_app.py as a deployment of Ray Serve with one replica. Started with --port N."""

import argparse
import signal
import threading

import ray
from predict_app import app
from ray import serve


@serve.deployment(num_replicas=1, max_ongoing_requests=1000, ray_actor_options={"num_cpus": 1})
@serve.ingress(app)
class Predict:
    pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    port = parser.parse_args().port
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    ray.init(include_dashboard=False, log_to_driver=False, object_store_memory=100_000_000)
    serve.start(http_options={"host": "127.0.0.1", "port": port}, logging_config={"enable_access_log": False})
    serve.run(Predict.bind(), route_prefix="/")
    stop.wait()
    serve.shutdown()
    ray.shutdown()
