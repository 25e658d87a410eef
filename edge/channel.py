"""Opens the gRPC channel to the router, or to several of them."""

import json

import grpc

from edge.config import MESSAGE_MARGIN_BYTES, EdgeConfig

MAX_METADATA_BYTES = 1024 * 1024
"""A provider's error that passes whole travels in trailing metadata; gRPC's own limit is 8 KiB."""

_SERVICE_CONFIG = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})


def open_channel(config: EdgeConfig) -> grpc.aio.Channel:
    """A channel that spreads calls over the target's addresses. Connects at the first call; the caller
    closes it, after the edge.
    """
    message_bytes = config.max_body_bytes + MESSAGE_MARGIN_BYTES
    return grpc.aio.insecure_channel(
        config.router_target,
        options=(
            ("grpc.max_send_message_length", message_bytes),
            ("grpc.max_receive_message_length", message_bytes),
            ("grpc.max_metadata_size", MAX_METADATA_BYTES),
            ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
            ("grpc.service_config", _SERVICE_CONFIG),
            # A restarted router is found again within seconds; gRPC's own ceiling is two minutes.
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 2000),
            # A router that vanished without closing its connections is noticed.
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 10_000),
        ),
    )
