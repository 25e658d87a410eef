"""Measures the gateway as a user runs it: by processes over loopback, never in this process.

    bench.run ──job──▶ bench.load ──HTTP──▶ a system ──HTTP──▶ bench.mock
        └──────── /proc: CPU time and memory of the system's processes

A *system* (`systems`) is what stands between the load and the mock: nothing ("direct"), the floor (`relay`),
the gateway in its two forms, a peer. A *scenario* (`scenarios`) is a job for the load generator and how often
it is done. Blocks of all systems take turns, so that a noisy minute hurts all alike. The first figure is CPU
time per request, which holds on a machine that does other work besides; latencies are what the system adds to
the direct way, as the same client saw both.

Not here: anything that the gateway runs. `instructions` is apart: it counts instructions of one process
without sockets, and guards against regressions.
"""
