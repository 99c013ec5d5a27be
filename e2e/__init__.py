"""End-to-end tests: they speak Kubernetes only, as a user does, and import none of our programs."""
