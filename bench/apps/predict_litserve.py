"""The smallest LitServe API: the number of the query comes back. Started with --port N."""

import argparse

import litserve


class Echo(litserve.LitAPI):
    def setup(self, device):
        pass

    def decode_request(self, request):
        return request["number"]

    def predict(self, x):
        return x

    def encode_response(self, output):
        return {"number": output}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    port = parser.parse_args().port
    server = litserve.LitServer(Echo(api_path="/predict"), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=port,
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )
