#!/bin/sh
# Creates bench/.venv with the peers' packages; does nothing where it is up to date.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
stamp=.venv/requirements.installed

if cmp -s peers/requirements.txt "$stamp"; then
    echo "peers: bench/.venv is up to date"
    exit 0
fi
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check -r peers/requirements.txt
cp peers/requirements.txt "$stamp"
echo "peers: bench/.venv is ready ($(.venv/bin/python --version))"
