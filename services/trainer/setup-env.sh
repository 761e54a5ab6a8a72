#!/bin/sh
# Creates the Python environment of training jobs once and prints the path of its interpreter.
#
#   setup-env.sh [--with-postgres] [--with-tests] [--with-lint] [--with-iceberg] [--with-torch] [--print-only]
#
# The environment lies in the user's cache, named after what it must contain, so calling this again costs nothing.
# Wheels are kept beside it: a second environment needs no network. PYTHON picks another interpreter.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

usable() {
	command -v "$1" >/dev/null 2>&1 &&
		"$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

for python in ${PYTHON:-python3 python3.11 python3.12 python3.13 python3.10}; do
	if usable "$python"; then
		exec "$python" "$here/setup_env.py" "$@"
	fi
done
echo "setup-env: no usable Python: install Python 3.10 to 3.13, or set PYTHON to one" >&2
exit 1
