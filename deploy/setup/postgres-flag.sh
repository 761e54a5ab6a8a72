#!/usr/bin/env bash
# Prints --with-postgres where this machine has no PostgreSQL of its own: the Python environment then brings one.
set -euo pipefail
[ -n "${SIGNALBOX_DATABASE_URL:-}${SIGNALBOX_PG_BIN:-}" ] && exit 0
if command -v postgres >/dev/null && command -v initdb >/dev/null; then exit 0; fi
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && exit 0
compgen -G '/usr/pgsql-*/bin/initdb' >/dev/null && exit 0
echo --with-postgres
