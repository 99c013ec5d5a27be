"""Checks of the text of this repository that no linter brings."""
