"""The language of the pool: its manifests, its values, and the only code that calls the API server.

May contain: the CustomResourceDefinitions, value types with their parsers, the client, the store
and the watch cache. May not contain: decisions. `webhook` and `controller` both speak it and never
import each other.
"""
