"""Tests of the test bed, and of the programs on it."""
