#!/usr/bin/env bash
# Starts a Docker Engine where none runs, and ends the engine that it started: for CI and disposable machines.
# usage: cluster/docker-engine.sh up|down      (root; Debian or Ubuntu)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
state=${KUBEMACPOOL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubemacpool}/docker-engine

# Succeeds if the process in our pid file is the engine that we started: after a crash, it may be another.
ours() {
	[ -f "$state/pid" ] || return 1
	tr '\0' ' ' <"/proc/$(cat "$state/pid")/cmdline" 2>/dev/null | grep -qF -- "--pidfile $state/pid"
}

up() {
	if docker info >/dev/null 2>&1; then
		echo "A Docker Engine runs already: left as it is." >&2
		return
	fi
	if [ "$(id -u)" != 0 ]; then
		echo "Only root can start a Docker Engine." >&2
		return 1
	fi
	if ! command -v dockerd >/dev/null; then
		echo "Installing the distribution's docker.io (about 1 min) ..." >&2
		apt-get update -qq
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq docker.io iptables >/dev/null
	fi
	mkdir -p "$state"
	rm -f "$state/pid" # no engine answers, so the file is left from a crash
	cp "$here/runc-bounded" "$state/" # it must outlive this checkout
	local flags=(--data-root "$state/data" --exec-root "$state/exec" --pidfile "$state/pid")
	# Containers with --privileged request every capability; some machines lack one.
	if lacks_capabilities; then
		flags+=(--add-runtime "bounded=$state/runc-bounded" --default-runtime bounded)
	fi
	setsid dockerd "${flags[@]}" >"$state/log" 2>&1 </dev/null &
	for _ in $(seq 120); do
		if docker info >/dev/null 2>&1; then
			echo "The Docker Engine is up; its images are kept in $state." >&2
			return
		fi
		sleep 0.5
	done
	kill "$!" 2>/dev/null || true
	echo "The Docker Engine did not come up; the end of $state/log:" >&2
	tail -5 "$state/log" >&2
	return 1
}

down() {
	if ! ours; then
		echo "No Docker Engine of ours runs." >&2
		return
	fi
	local pid
	pid=$(cat "$state/pid")
	kill "$pid"
	for _ in $(seq 150); do # it gives containers 10 s to end
		if ! kill -0 "$pid" 2>/dev/null; then
			echo "The Docker Engine has ended; its images stay in $state." >&2
			return
		fi
		sleep 0.2
	done
	echo "The Docker Engine (process $pid) does not end." >&2
	return 1
}

lacks_capabilities() {
	local has last
	has=$((0x$(awk '/^CapBnd/ {print $2}' /proc/self/status)))
	last=$(cat /proc/sys/kernel/cap_last_cap)
	((has != (1 << (last + 1)) - 1))
}

case ${1:-} in
up) up ;;
down) down ;;
*)
	echo "usage: $0 up|down" >&2
	exit 2
	;;
esac
