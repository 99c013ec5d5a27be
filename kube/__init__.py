"""Talks to an API server. It does not know MAC addresses.

Its nouns are client-go's: client, listing, watch, workqueue, leases, events, selectors.
"""
