"""Pure codecs of the wire: HTTP values and responses, server-sent events, JSON text, OpenAI's requests.

No I/O and no clock: bytes in, values out. Decoders are incremental (`feed`, `finish`), linear in
their input and bounded in memory.
"""
