"""One model and its API, as the tutorial of django-tastypie writes them."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db import models
from django.urls import include, path
from tastypie import api, fields
from tastypie.authentication import ApiKeyAuthentication
from tastypie.authorization import ReadOnlyAuthorization
from tastypie.models import ApiKey
from tastypie.resources import ModelResource

IMPORTED = True


class StoredFile(models.Model):
    """A file in the storage."""

    name = models.CharField(max_length=200)
    content_type = models.CharField(max_length=100, null=True)  # noqa: DJ001 - vendors have such columns
    size = models.BigIntegerField(null=True)
    cost = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    created = models.DateTimeField(db_index=True)
    updated = models.DateTimeField()
    archived = models.DateTimeField(null=True)
    metadata = models.JSONField(default=dict)

    class Meta:
        """Outside of an installed app."""

        app_label = "storage"

    def __str__(self) -> str:
        """Return its name."""
        return str(self.name)


class FileResource(ModelResource):
    """The collection."""

    metadata = fields.DictField(attribute="metadata")

    class Meta:
        """What may be filtered and sorted by has to be named."""

        queryset = StoredFile.objects.all()
        resource_name = "file"
        authentication = ApiKeyAuthentication()
        authorization = ReadOnlyAuthorization()
        filtering = {"created": ("gte", "lt")}  # noqa: RUF012 - the form that tastypie documents
        ordering = ("created",)


v1_api = api.Api(api_name="v1")
v1_api.register(FileResource())
urlpatterns = [path("api/", include(v1_api.urls))]


def store(records: list[dict[str, Any]]) -> None:
    """Add records."""
    renamed = ({name.removesuffix("_at"): value for name, value in record.items()} for record in records)
    StoredFile.objects.bulk_create(StoredFile(**record) for record in renamed)


def grant() -> str:
    """Make a user, and return the key."""
    user = User.objects.create_user("reader")
    return str(ApiKey.objects.create(user=user).key)
