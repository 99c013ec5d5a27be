"""Metrics: their families, and the endpoint that serves them."""
