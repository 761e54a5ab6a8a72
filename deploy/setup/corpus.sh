#!/usr/bin/env bash
# Keeps some of what fuzzing found as the committed corpus: every test run tries it, and the next fuzzing begins with it.
# Usage: corpus.sh [COUNT]: fill up each target's corpus to so many inputs (default 12), of all sizes up to 4 KiB. What is in it
# stays: it may have failed once. Run it after fuzz.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
count=${1:-12}
found=$(go env GOCACHE)/fuzz/$(go list -m)

grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sed -E 's#^\./(.*)/[^/]+:func (.*)$#\1 \2#' | sort |
  while read -r package name; do
    kept=$package/testdata/fuzz/$name
    mkdir -p "$kept"
    room=$((count - $(find "$kept" -type f | wc -l)))
    inputs=()
    [ ! -d "$found/$package/$name" ] ||
      mapfile -t inputs < <(find "$found/$package/$name" -type f -size -4097c -printf '%s %p\n' | sort -k1,1n -k2 | cut -d' ' -f2)
    n=${#inputs[@]}
    for ((i = 0, take = n < room ? n : room; i < take; i++)); do
      cp "${inputs[$((take == 1 ? 0 : i * (n - 1) / (take - 1)))]}" "$kept"
    done
    rmdir "$kept" 2>/dev/null && echo "$package $name: nothing was found, fuzz it first" >&2 || true
  done
