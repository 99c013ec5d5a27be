"""Stock: addresses that a replica creates before a request needs them.

`demand` decides how many, `entries` decides which may be handed out, and `filling` creates them.
"""
