#!/usr/bin/env bash
# tomtoolkit 3.1.0: an upper limit that is posted is kept, and the API gives it back without its number.
#
# Since version 3 photometry has a table of its own, with a column for limits. POST /api/reduceddatums/
# fills it from {"limit": 19.2, "filter": "g"}, and GET lists the row with a brightness of null and no
# limit, so that whoever reads the API cannot tell how faint the target was. A row of the general
# table, as those from before version 3 are, is listed with all of its value; and such rows are left out
# as soon as the list is asked for their type, ?data_type=photometry.
#
# Output seen on 2026-11-28 with Python 3.11 (Django 5.2.19, djangorestframework 3.18.3):
#   posted limit, in the database: 19.2
#   posted limit, in the API: brightness None, limit not there
#   row of the general table: {'limit': 20.5, 'filter': 'r'}
#   rows in all: 2, rows of data_type=photometry: 1
set -euo pipefail

there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
python3.11 -m venv "$there/venv"
"$there/venv/bin/pip" install --quiet --disable-pip-version-check \
    'tomtoolkit==3.1.0' 'django==5.2.19' 'djangorestframework==3.18.3'

cd "$there"
venv/bin/django-admin startproject mytom
cd mytom
sed -i "s/^INSTALLED_APPS = \[/&\n    'tom_setup',/" mytom/settings.py
printf 'y\ncustom_code\n1\nn\nn\n' | ../venv/bin/python manage.py tom_setup >setup.log 2>&1
../venv/bin/python manage.py migrate >>setup.log 2>&1

cat >look.py <<'PYTHON'
import os
from datetime import UTC, datetime

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "mytom.settings"
django.setup()

from django.conf import settings
from django.contrib.auth.models import User
from rest_framework.test import APIClient
from tom_dataproducts.models import PhotometryReducedDatum, ReducedDatum
from tom_targets.models import Target

settings.ALLOWED_HOSTS = ["testserver"]
ROWS = "/api/reduceddatums/"
client = APIClient()
client.force_authenticate(User.objects.create_superuser("admin", password="x"))
place = {"name": "SN 2026abc", "type": "SIDEREAL", "ra": 10.1, "dec": -3.5}
target = client.post("/api/targets/", place, format="json").json()["id"]
row = {"data_product": "", "data_type": "photometry", "source_name": "s", "source_location": ""}
value = {"limit": 19.2, "filter": "g"}
more = {"target": target, "timestamp": "2026-02-13T01:40:47Z", "value": value}
assert client.post(ROWS, row | more, format="json").status_code == 201

(found,) = client.get(ROWS).json()["results"]
there = "there" if "limit" in found["value"] else "not there"
print("posted limit, in the database:", PhotometryReducedDatum.objects.get().limit)
print(f"posted limit, in the API: brightness {found['value']['brightness']}, limit {there}")

ReducedDatum.objects.create(
    target=Target.objects.get(pk=target),
    data_type="photometry",
    timestamp=datetime(2026, 2, 14, tzinfo=UTC),
    value={"limit": 20.5, "filter": "r"},
)
rows = client.get(ROWS).json()
print("row of the general table:", rows["results"][0]["value"])
asked = client.get(ROWS, {"data_type": "photometry"}).json()
print(f"rows in all: {rows['count']}, rows of data_type=photometry: {asked['count']}")
PYTHON
seen=$(../venv/bin/python look.py 2>/dev/null)
echo "$seen"
[ "$seen" = "posted limit, in the database: 19.2
posted limit, in the API: brightness None, limit not there
row of the general table: {'limit': 20.5, 'filter': 'r'}
rows in all: 2, rows of data_type=photometry: 1" ]
