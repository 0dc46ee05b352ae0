"""A Django project in the settings that `startproject` writes, without templates' and static files' apps.

Run as `SITE DATABASE create|add COUNT` or `SITE DATABASE runserver …`, where SITE is the module with model and API.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from tests.servers import records

APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
SITES: dict[str, dict[str, Any]] = {
    "drf_site": {
        "INSTALLED_APPS": [*APPS, "rest_framework", "rest_framework.authtoken", "django_filters"],
        "REST_FRAMEWORK": {
            "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
            "DEFAULT_FILTER_BACKENDS": [
                "django_filters.rest_framework.DjangoFilterBackend",
                "rest_framework.filters.OrderingFilter",
            ],
            "PAGE_SIZE": 100,
        },
    },
    "tastypie_site": {"INSTALLED_APPS": [*APPS, "tastypie"]},
}


def main() -> None:
    """Run one command, with the arguments of this process."""
    _, name, database, command, *arguments = sys.argv
    settings.configure(
        SECRET_KEY="made up for the test",
        ALLOWED_HOSTS=["127.0.0.1"],
        MIDDLEWARE=MIDDLEWARE,
        ROOT_URLCONF=f"tests.servers.{name}",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        TIME_ZONE="UTC",
        USE_TZ=True,
        **SITES[name],
    )
    django.setup()
    site = importlib.import_module(f"tests.servers.{name}")
    if command == "create":
        call_command("migrate", verbosity=0)
        with connection.schema_editor() as editor:
            editor.create_model(site.StoredFile)
        site.store(records.past(int(arguments[0]), imported=site.IMPORTED))
        sys.stdout.write(site.grant())
    elif command == "add":
        site.store(records.present(int(arguments[0])))
    else:
        call_command(command, *arguments)


if __name__ == "__main__":
    main()
