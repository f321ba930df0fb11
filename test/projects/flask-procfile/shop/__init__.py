from flask import Flask

from shop import views


def create_app(config: object = None) -> Flask:
    app = Flask(__name__)
    if config is not None:
        app.config.from_object(config)
    app.register_blueprint(views.pages)
    return app
