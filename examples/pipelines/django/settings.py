import os

from psycopg.conninfo import conninfo_to_dict

# DATABASE_URL is anything that libpq takes.
_libpq = conninfo_to_dict(os.environ["DATABASE_URL"])

DATABASES = {
    "default": {"ENGINE": "django.db.backends.postgresql", "NAME": _libpq.pop("dbname"), "OPTIONS": _libpq},
}
# Django 6 checks that its PostgreSQL app is there for an index such as HNSW.
INSTALLED_APPS = ["django.contrib.postgres", "documents"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECRET_KEY = "an example"
