from fastapi import FastAPI

from shop.items import router


def create_app() -> FastAPI:
    app = FastAPI(title="Shop")
    app.include_router(router)
    return app
