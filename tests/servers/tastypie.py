"""django-tastypie with its `ApiKeyAuthentication`: a framework of 2010 that vendors' APIs still run on."""

from __future__ import annotations

from tests.servers.django_server import DjangoServer


class TastypieServer(DjangoServer):
    """`objects` beside `meta.total_count`; by id, which is not the order of `created`; no page above 1000."""

    path = "/api/v1/file/"
    params = {"username": "reader"}  # noqa: RUF012 - the base class says ClassVar
    site = "tastypie_site"
