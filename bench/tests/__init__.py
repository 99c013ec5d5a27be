"""Tests of the pure parts; `e2e/tests/test_bench*.py` run the experiments."""
