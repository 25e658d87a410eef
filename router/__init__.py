"""The router: from a caller's request to a provider's answer, over gRPC.

Primitives::

    Call        one request of a caller, in OpenAI's own JSON, with its credential and deadline
    Snapshot    the model list at one moment: immutable, numbered; a call keeps the one it began with
    Deployment  one place where a model runs: provider, address, dialect, price
    Exchange    one attempt's translation: the HTTP request to send, and how to read what comes back
    Frame       one chunk for the caller, in OpenAI's own JSON

Direction of flow::

    rpc ── Call ──▶ pipeline (authenticate, account) ──▶ dispatch ──▶ transport ──▶ provider
     ▲                                                     │  ▲
     └──────────────── Head, Body or Batch… ◀──────────────┘  └─ Exchange, made by the dialect's adapter

Imports point down only: app, rpc, pipeline, dispatch, registry, routing, providers | transport, wire,
config, values, errors. Providers, routing and wire are sans-I/O: bytes in, values out; they know no
clock, no socket and no event loop. HTTP status codes for callers and SSE framing are not here: they
are the edge's business.
"""
