"""Collisions: the objects that share an address, the managed namespaces, and the events."""
