#!/usr/bin/env bash
# kubectl on the cluster that `make cluster-up` brought up: ./cluster/kubectl.sh get macallocations
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
export PYTHONPATH=$here
exec "$here/.venv/bin/python" -m testbed kubectl -- "$@"
