from flask import Blueprint

pages = Blueprint("pages", __name__)


@pages.route("/")
def index() -> str:
    return "served: flask-procfile"
