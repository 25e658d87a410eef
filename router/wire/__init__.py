"""Pure codecs of the wire: HTTP values, server-sent events, JSON text, OpenAI's chat request.

No I/O and no clock: bytes in, values out. Decoders are incremental (`feed`, `finish`), linear in
their input and bounded in memory.
"""
