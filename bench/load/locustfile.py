"""The fastest that Locust has: no waiting, its fast client."""

from locust import FastHttpUser, constant, task


class Asker(FastHttpUser):
    wait_time = constant(0)

    @task
    def ask(self) -> None:
        self.client.get("/")
