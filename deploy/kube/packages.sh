#!/bin/sh
# What a node needs of the system: containerd, runc, the plugins of pods' networks, iptables and ip. Installs what is
# missing through apt; does nothing where all is there.
set -eu
PATH=$PATH:/usr/sbin:/sbin

missing=""
need() { # package, file or command of it
	command -v "$2" >/dev/null 2>&1 || [ -x "$2" ] || missing="$missing $1"
}
need containerd containerd
need runc runc
need containernetworking-plugins /usr/lib/cni/bridge
need iptables iptables-save
need conntrack conntrack
need iproute2 ip
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
	echo "installing$missing" >&2
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq >&2
	# shellcheck disable=SC2086 # a list of names
	apt-get install -y -qq --no-install-recommends $missing >/dev/null
	exit 0
fi
echo "a node needs$missing; as root: apt-get update && apt-get install -y --no-install-recommends$missing" >&2
exit 1
