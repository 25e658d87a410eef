"""Providers: who they are (presets, as data) and how they are spoken to (one adapter per dialect).

An adapter is a pure function: `(ChatRequest, Deployment) -> Exchange`. The exchange holds the HTTP
request to send and reads what comes back, into OpenAI's own JSON. A new dialect is one file, one line
in `dialects.py` and its vectors; a vendor that differs by address, key and quirks alone is a row in
`presets.py`.
"""
