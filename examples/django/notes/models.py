"""One table."""

from django.db import models


class Note(models.Model):
    text = models.CharField(max_length=200)
    written = models.DateTimeField(auto_now_add=True)

    def as_json(self) -> dict[str, object]:
        return {"number": self.pk, "text": self.text, "written": self.written.isoformat()}
