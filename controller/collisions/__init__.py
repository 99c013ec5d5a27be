"""Collisions: who shares an address, which namespaces are managed, and what the events say."""
