"""Transports: the one seam through which the router speaks to the world over HTTP.

`seam.py` is the contract: one method. `http.py` is the real one and the only place that knows
`aiohttp`; `memory.py` is its in-memory twin. Foreign errors are translated here, by a table.
"""
