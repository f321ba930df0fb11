import functions_framework


@functions_framework.http
def answer(request):
    if request.method == "POST":
        return request.get_json(), 201, {"X-Function": "answer"}
    return f"hello {request.args.get('name', 'nobody')}"
