"""Functions as Google's functions-framework defines them, with or without that package.

registry.py    which function has which signature; works with the package's own registry and with the built-in one
events.py      CloudEvents out of HTTP requests; legacy.py converts them to and from background events
handlers.py    from a function and its signature to "handle this request", without any framework
http.py        the WSGI app on Flask; plain.py the WSGI app without; aio.py the ASGI app, with Starlette or without
compat/        packages that stand in for functions_framework, cloudevents and google.cloud.functions where these are missing
"""
