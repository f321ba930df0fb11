"""The contract of test/system/frameworks.test.ts in Django, in one file: `wsgi` and `asgi`."""

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path

if not settings.configured:
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="test", DEBUG=False)


def hello(request, name):
    return HttpResponse(f"hello {name}")


def echo(request):
    return HttpResponse(request.body, content_type=request.headers["content-type"])


def stream(request):
    return StreamingHttpResponse(f"{n} " for n in range(5))


urlpatterns = [path("hello/<name>", hello), path("echo", echo), path("stream", stream)]
wsgi = get_wsgi_application()
asgi = get_asgi_application()
