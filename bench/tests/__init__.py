"""Tests of what is pure in the bench; e2e/tests/test_bench.py runs it."""
