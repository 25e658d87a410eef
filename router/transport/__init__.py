"""Transports: the one seam through which the router speaks to the world over HTTP.

`seam.py` is the contract: one method. `http.py` is the real one: `direct.py` and `upstream.py` are its short
way, past aiohttp's client. `memory.py` is its in-memory twin, `timed.py` performs providers that are built
in. `answer.py` has what answers have in common; it translates foreign errors, by a table.
"""
