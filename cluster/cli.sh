#!/usr/bin/env bash
# Opens a shell on a node of the cluster, or runs a command there: ./cluster/cli.sh ssh node01 [COMMAND ...]
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
if [ "${1:-}" != ssh ] || [ $# -lt 2 ]; then
	echo "usage: $0 ssh NODE [COMMAND ...]" >&2
	exit 2
fi
export PYTHONPATH=$here
exec "$here/.venv/bin/python" -m testbed ssh -- "${@:2}"
