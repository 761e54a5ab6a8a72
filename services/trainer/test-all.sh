#!/bin/sh
# Runs the tests on every version of Python that the package supports, as far as this machine has them.
#
#   test-all.sh [pytest's arguments]
#
# Interpreters are looked for in PATH, and where pyenv and uv keep theirs. Each gets an environment of its own from the lock
# files (setup-env.sh). A version that is not there is told of, and is no failure.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
uv=${UV_PYTHON_INSTALL_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/uv/python}

# interpreter VERSION prints the path of the first one that runs: a shim of pyenv may be there without one.
interpreter() {
	for python in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python "$uv/cpython-$1".*/bin/python"$1"; do
		if "$python" -c "import sys; sys.version_info[:2] == tuple(map(int, '$1'.split('.'))) or sys.exit(1)
print(sys.executable)" 2>/dev/null; then
			return
		fi
	done
	return 1
}

summary='' failed=0
for version in 3.10 3.11 3.12 3.13; do
	if ! python=$(interpreter "$version"); then
		summary="$summary
Python $version: not on this machine"
		continue
	fi
	echo "Python $version: $python" >&2
	if environment=$(PYTHON=$python "$here/setup-env.sh" --with-tests) &&
		(cd "$here" && "$environment" -m pytest "$@"); then
		result=passed
	else
		result=FAILED failed=1
	fi
	summary="$summary
Python $version: $result"
done
echo "$summary"
exit $failed
