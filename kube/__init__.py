"""Talks to an API server, and does not know what a MAC address is.

Its nouns are client-go's: client, listing, watch, workqueue, leases, events, selectors.
"""
