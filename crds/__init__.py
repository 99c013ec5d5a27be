"""The domain: the CustomResourceDefinitions, the values with their parsers, and the two ports.

`webhook` and `controller` both use it, and never import each other. lifecycle.py has the state
transitions, kinds.py the kinds of owners, names.py the fixed names. store.py and objects.py are the
ports: interfaces, with an implementation that calls the API server.
"""
