"""One model and its API, as the tutorials of Django REST framework and django-filter write them."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db import models
from django.urls import include, path
from rest_framework import authentication, pagination, routers, serializers, viewsets
from rest_framework.authtoken.models import Token

IMPORTED = False


class StoredFile(models.Model):
    """A file in the storage."""

    name = models.CharField(max_length=200)
    content_type = models.CharField(max_length=100, null=True)  # noqa: DJ001 - vendors have such columns
    size = models.BigIntegerField(null=True)
    cost = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    created_at = models.DateTimeField(db_index=True)
    updated_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True)
    metadata = models.JSONField(default=dict)

    class Meta:
        """Outside of an installed app."""

        app_label = "storage"

    def __str__(self) -> str:
        """Return its name."""
        return str(self.name)


class QueryTokenAuthentication(authentication.TokenAuthentication):
    """The framework's tokens, taken from the query instead of the header."""

    def authenticate(self, request: Any) -> Any:
        """Return the token's user; None without a token."""
        key = request.query_params.get("api_key")
        return self.authenticate_credentials(key) if key else None


class Pagination(pagination.LimitOffsetPagination):
    """The framework's, with the limit that its documentation advises."""

    max_limit = 500


class StoredFileSerializer(serializers.ModelSerializer):
    """All columns."""

    class Meta:
        """Of the model."""

        model = StoredFile
        fields = "__all__"


class StoredFileViewSet(viewsets.ReadOnlyModelViewSet):
    """The collection, newest first."""

    queryset = StoredFile.objects.order_by("-created_at")
    serializer_class = StoredFileSerializer
    authentication_classes = (QueryTokenAuthentication,)
    pagination_class = Pagination
    filterset_fields = {"created_at": ["gte", "lt"]}  # noqa: RUF012 - the form that django-filter documents


router = routers.DefaultRouter()
router.register("files", StoredFileViewSet)
urlpatterns = [path("api/", include(router.urls))]


def store(records: list[dict[str, Any]]) -> None:
    """Add records."""
    StoredFile.objects.bulk_create(StoredFile(**record) for record in records)


def grant() -> str:
    """Make a user, and return the key."""
    user = User.objects.create_user("reader")
    return str(Token.objects.create(user=user).key)
