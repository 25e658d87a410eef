"""What starts the tiers: command line, configuration from outside, logs, signals.

The only package that imports both `router` and `edge`. `cli.py` reads the command, `config.py` turns
environment and file into the tiers' frozen configurations, `serve.py` runs tiers until a signal ends
them, `logs.py` sets up structlog. `workers/` runs several processes of them under a supervisor.
"""
