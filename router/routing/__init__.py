"""Routing: which deployment answers a request. Pure: the list's snapshot in, a deployment out.

`handle.py` reads a row's handle, `providers.py` resolves its provider, `snapshot.py` is the list at one
moment, `select.py` chooses among deployments. The clock and randomness are parameters.
"""
