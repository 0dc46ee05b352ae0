"""Django REST framework with `LimitOffsetPagination`, the key in the query, and django-filter."""

from __future__ import annotations

from tests.servers.django_server import DjangoServer


class DrfServer(DjangoServer):
    """`count`, `next`, `previous`, `results`; newest first; no page above 500."""

    path = "/api/files/"
    site = "drf_site"
