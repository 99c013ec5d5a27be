"""Pools: reads the ConfigMap, and keeps the MacPool and its status."""
