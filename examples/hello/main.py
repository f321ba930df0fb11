"""A plain function, as functions-framework runs it; that package need not be installed."""

import functions_framework


@functions_framework.http
def hello(request):
    """Greets whoever is named in the query (?name=Ada) or in a JSON body ({"name": "Ada"})."""
    name = request.args.get("name")
    if name is None and request.is_json:
        name = request.get_json().get("name")
    return f"Hello, {name or 'world'}!\n"
