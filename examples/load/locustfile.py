"""The same shop with Locust: `headrace load` runs this file under the Locust of your interpreter."""

from locust import HttpUser, between, task


class Visitor(HttpUser):
    wait_time = between(0.2, 1)

    @task(3)
    def item(self) -> None:
        self.client.get("/items/1")

    @task
    def catalogue(self) -> None:
        with self.client.get("/catalogue", catch_response=True) as answer:
            if len(answer.json()) != 160:
                answer.failure("the catalogue is not whole")
