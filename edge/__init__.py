"""The edge: OpenAI's HTTP API in front, gRPC to a router behind.

Primitives::

    Route        one row of `routes.ROUTES`: method, path, handler
    Handler      one HTTP request: bounds it, calls the router, writes what comes back
    HttpFailure  everything that is not a 200: status, OpenAI error body, headers
    InFlight     the requests that a drain waits for

Direction of flow::

    client ── HTTP ──▶ handlers ── ForwardRequest, metadata, deadline ──▶ router
       ▲                  │ ▲
       └─ body or SSE ────┘ └─ response, messages, or a status that `status` turns into an HttpFailure

What is not here: no provider, no secret, no model list, no judgement of a request body. The router is
the single judge of what is valid and allowed; the edge only bounds sizes and times, speaks HTTP and
SSE, and cancels the call when its client goes away.
"""
