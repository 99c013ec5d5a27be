"""Measurements: `python -m bench latency|scale|adoption|compare`, on control planes of their own.

All experiments use one cluster (`testcluster`), one ledger of allocations and calls (`ledger`),
and one report (`report`). An experiment says what varies and what is measured. It yields its parts,
each with tables and targets. It asserts nothing about time.
"""
