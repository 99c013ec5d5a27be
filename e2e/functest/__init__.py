"""Tests that need nodes that run pods: `make functest`, on the cluster of `make cluster-up`."""
