"""Addresses created ahead of requests.

`demand` says how many, `entries` which may be handed out; `filling` creates them.
"""
