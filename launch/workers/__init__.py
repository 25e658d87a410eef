"""Several processes that serve the same ports: one supervisor, N workers.

Primitives::

    Supervisor   starts workers, replaces those that die, stops all; serves nothing itself
    Member       a worker as the supervisor sees it: process, channel, what it has counted
    Link         the same channel as the worker sees it
    Families     what a process has counted, in a form that can be sent and added up

Direction of flow::

    kernel ── connections, spread over ──▶ worker … worker          (SO_REUSEPORT)
    supervisor ── SIGTERM, SIGHUP ──▶ worker                         (signals)
    supervisor ◀── Ready, Counted, Ask ── worker, ── Count, Sum ──▶  (a socket pair for each)

A worker is `launch.serve`'s topology in a process of its own, started afresh and never forked, since grpc
does not survive that. The supervisor imports neither grpc nor the tiers. A channel that ends tells the worker
that its supervisor is gone: it stops as on SIGTERM. `counts` and `messages` are pure.
"""
