"""Notes as a page and as JSON."""

import json

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from .models import Note


@require_GET
def index(request: HttpRequest) -> HttpResponse:
    return render(request, "notes/index.html", {"notes": Note.objects.order_by("-pk")[:20]})


@csrf_exempt
@require_http_methods(["GET", "POST"])
def notes(request: HttpRequest) -> HttpResponse:
    if request.method == "GET":
        return JsonResponse({"notes": [note.as_json() for note in Note.objects.order_by("pk")]})
    try:
        text = json.loads(request.body)["text"]
    except (ValueError, KeyError, TypeError):
        return JsonResponse({"error": 'send {"text": "..."}'}, status=400)
    return JsonResponse(Note.objects.create(text=text).as_json(), status=201)


@require_GET
def note(request: HttpRequest, number: int) -> HttpResponse:
    return JsonResponse(get_object_or_404(Note, pk=number).as_json())
