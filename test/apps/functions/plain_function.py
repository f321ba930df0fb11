def handler(request):
    """No decorator: picked with --target."""
    return {"path": request.path, "method": request.method}
