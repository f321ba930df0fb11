"""A Django project in one file: URL routing, a common middleware and one small JSON answer."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="not a secret: nothing is signed",
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
)


def item(request: HttpRequest, number: int) -> JsonResponse:
    return JsonResponse({"number": number, "q": request.GET.get("q", "")})


urlpatterns = [path("items/<int:number>", item)]
app = get_wsgi_application()
