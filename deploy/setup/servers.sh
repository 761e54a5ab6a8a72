#!/usr/bin/env bash
# What the tests against real servers need: Java 17, Maven (which fetches Apache Kafka) and PostgreSQL. Installs through
# the system's package manager where that is allowed, and says what to run where it is not.
set -euo pipefail

packages=()
java_ok() { command -v java >/dev/null && [ "$(java -version 2>&1 | sed -nE 's/.*version "([0-9]+).*/\1/p')" -ge 17 ]; }
postgres_ok() {
  { command -v postgres && command -v initdb; } >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ||
    compgen -G '/usr/pgsql-*/bin/initdb' >/dev/null || [ -n "${SIGNALBOX_PG_BIN:-}" ]
}
java_ok || packages+=(openjdk-17-jre-headless)
command -v mvn >/dev/null || packages+=(maven)
postgres_ok || packages+=(postgresql)
[ ${#packages[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
  exit 0
fi
echo "the tests need ${packages[*]}; as root: apt-get update && apt-get install -y ${packages[*]}" >&2
exit 1
