#!/usr/bin/env bash
# virtctl on the cluster that `make cluster-up KUBEVIRT=true` brought up: ./cluster/virtctl.sh console web
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
export PYTHONPATH=$here
exec "$here/.venv/bin/python" -m testbed virtctl -- "$@"
