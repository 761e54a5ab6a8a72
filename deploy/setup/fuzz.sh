#!/usr/bin/env bash
# Runs every fuzz target of the tree, one after another. Usage: fuzz.sh [TIME [PATTERN]]
#   TIME     for each target, as Go writes durations (default: $FUZZTIME, else 30s)
#   PATTERN  only targets whose "package Function" it matches, an extended regular expression
# An input that fails is kept by Go in the package's testdata/fuzz, where every later test run tries it again.
set -euo pipefail
cd "$(dirname "$0")/../.."
time=${1:-${FUZZTIME:-30s}}
pattern=${2:-.}

targets=$(grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . |
  sed -E 's#^(.*)/[^/]+:func (.*)$#\1 \2#' | { grep -E -- "$pattern" || true; } | sort)
if [ -z "$targets" ]; then
  echo "fuzz: no target matches $pattern" >&2
  exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=()
while read -r package name; do
  case $package in
    ./consumers/generate/duckengine | ./services/signalbox-duckdb) cgo=1 ;; # the packages that need a C compiler
    *) cgo=0 ;;
  esac
  printf '%-50s %s\n' "$package" "$name"
  if ! CGO_ENABLED=$cgo go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "$package" >"$log" 2>&1 </dev/null; then
    cat "$log"
    failed+=("$package $name")
  fi
done <<<"$targets"

echo "$(wc -l <<<"$targets") targets, $time each, ${#failed[@]} failed"
[ ${#failed[@]} -eq 0 ] && exit 0
printf '  %s\n' "${failed[@]}"
exit 1
