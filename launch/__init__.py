"""What starts the tiers: command line, configuration from outside, logs, signals.

The only package that imports both `router` and `edge`. `cli.py` reads the command, `config.py` turns
environment and file into the tiers' frozen configurations, `serve.py` runs tiers until a signal ends
them, `logs.py` sets up structlog. `workers/` runs several processes of them under a supervisor.
"""

import os

# gRPC reads it when it is imported, which every module of this package does later. An edge's connection to
# its router is then read by the thread that waits for it, and not through a pool of others: an eighth of what
# a chunk costs over two tiers (docs/grpc-hop.md). A gRPC that does not know the name says so in one line.
os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_client")
