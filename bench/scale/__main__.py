"""Measures: `python -m bench.scale --help`."""

import sys

from bench.scale import main

sys.exit(main())
