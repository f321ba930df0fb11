"""Customers of the shop in examples/fastapi: most look around, some add items and look them up again."""

from headrace.load import User, between, constant, task


class Visitor(User):
    """Looks around, three times as often at an item as at the whole catalogue."""

    weight = 4
    wait_time = between(0.2, 1)

    async def on_start(self) -> None:
        await self.client.get("/", name="open the shop")

    @task(3)
    async def item(self) -> None:
        answer = await self.client.get("/items/1")
        self.check("the first item is the millstone", answer.json()["name"] == "millstone")

    @task
    async def catalogue(self) -> None:
        answer = await self.client.get("/catalogue")
        assert len(answer.json()) == 160


class Seller(User):
    """Keeps state of its own: what it has added it finds again."""

    wait_time = constant(0.5)

    async def on_start(self) -> None:
        self.added: list[int] = []

    @task
    async def add(self) -> None:
        item = {"name": f"sieve {self.number}.{len(self.added)}", "price": 3}
        answer = await self.client.post("/items", json=item, expect=201)
        self.added.append(answer.json()["number"])

    @task
    async def look_up(self) -> None:
        number = self.random.choice(self.added) if self.added else 1
        # A name, so that the report has one line for all items.
        await self.client.get(f"/items/{number}", name="/items/[number]")

    @task
    async def none(self) -> None:
        await self.client.get("/items/999999999", name="an item that is not there", expect=404)
