#!/usr/bin/env bash
# Makes what the tests need that talk to a real TOM Toolkit: a virtualenv of its own, since it brings a
# hundred packages along, and a site as its users begin one, whose database tests copy.
#
#   tests/tom.sh            takes minutes and a gigabyte, once
#
# Both are kept in .venv-tom of the checkout, or where INGESTD_TEST_TOM says.
set -euo pipefail
folder=${INGESTD_TEST_TOM:-$(cd "$(dirname "$0")/.." && pwd)/.venv-tom}
release=3.1.0

if [ -e "$folder/made-$release" ]; then exit 0; fi
rm -rf "$folder"
"${PYTHON:-python3}" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check "tomtoolkit==$release"

cd "$folder"
bin/django-admin startproject mytom
cd mytom
sed -i "s/^INSTALLED_APPS = \[/&\n    'tom_setup',/" mytom/settings.py
# Each answer is to a question; without an answer it asks for ever.
printf 'y\ncustom_code\n1\nn\nn\n' | ../bin/python manage.py tom_setup >../setup.log 2>&1
../bin/python manage.py migrate >>../setup.log 2>&1
DJANGO_SUPERUSER_PASSWORD=s3cret-admin ../bin/python manage.py createsuperuser \
    --noinput --username admin --email admin@example.org >>../setup.log 2>&1
touch "$folder/made-$release"
