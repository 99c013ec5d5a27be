"""Certificates: issues and renews the webhook's, and writes its caBundle.

`checklist` decides which step is due; `certifier` reads, asks it and writes.
"""
