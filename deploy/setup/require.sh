#!/usr/bin/env bash
# Names what is missing on this machine, with the line that installs it. Usage: require.sh go|cc|python ...
set -euo pipefail
missing=0

need() { # what, line that installs it
  echo "missing: $1" >&2
  echo "  install it: $2" >&2
  missing=1
}

apt=""
command -v apt-get >/dev/null && apt="sudo apt-get install -y "

for what in "$@"; do
  case $what in
    go)
      command -v go >/dev/null ||
        need "Go 1.26 or newer" "see https://go.dev/doc/install" ;;
    cc)
      command -v "${CC:-cc}" >/dev/null ||
        need "a C and C++ compiler (for DuckDB)" "${apt:-install gcc and g++ }${apt:+gcc g++}" ;;
    python)
      if ! command -v "${PYTHON:-python3}" >/dev/null; then
        need "Python 3.10 or newer" "${apt:-install python3 }${apt:+python3 python3-venv python3-pip}"
      elif ! "${PYTHON:-python3}" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
        need "Python 3.10 or newer (this is $("${PYTHON:-python3}" --version))" "set PYTHON=/path/to/python3.12"
      elif ! "${PYTHON:-python3}" -c 'import venv, ensurepip' 2>/dev/null; then
        need "Python's venv module" "${apt:-install python3-venv }${apt:+python3-venv}"
      fi ;;
    *) echo "require.sh: unknown requirement $what" >&2; exit 2 ;;
  esac
done
exit $missing
