from quart import Quart

app = Quart(__name__)


@app.route("/")
async def index() -> str:
    return "served: quart-script"


if __name__ == "__main__":
    app.run(port=5050)
