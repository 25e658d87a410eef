"""The contract holds both tiers: routes are the annotations, and every failure is mapped on both sides."""

import grpc
import pytest
from google.api import annotations_pb2

from edge import status as edge_status
from edge.routes import ROUTES
from router import errors
from router.errors import Reason, TrunklineError
from router.rpc import status as router_status
from trunkline.v1 import (
    chat_service_pb2,
    embedding_service_pb2,
    failure_pb2,
    forward_service_pb2,
    model_service_pb2,
    route_service_pb2,
)

SERVICES = [
    service
    for module in (
        chat_service_pb2,
        embedding_service_pb2,
        forward_service_pb2,
        model_service_pb2,
        route_service_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
]
VERBS = ("get", "post", "put", "patch", "delete")
OPERATIONS = {"/healthz", "/readyz", "/metrics"}
"""Paths that watch the process and carry no call."""


def annotated() -> set[tuple[str, str]]:
    found = set()
    for service in SERVICES:
        for method in service.methods:
            rule = method.GetOptions().Extensions[annotations_pb2.http]
            found |= {(verb.upper(), getattr(rule, verb)) for verb in VERBS if getattr(rule, verb)}
    return found


def test_the_edges_routes_are_those_of_the_annotations() -> None:
    routes = {(route.method, route.path) for route in ROUTES if route.path not in OPERATIONS}

    assert routes == annotated()


def leaves(kind: type[TrunklineError]) -> list[type[TrunklineError]]:
    own = [kind] if "reason" in vars(kind) else []
    return own + [leaf for sub in kind.__subclasses__() for leaf in leaves(sub)]


def test_every_failure_of_the_contract_has_a_reason_in_the_router_and_back() -> None:
    values = {name for name in failure_pb2.FailureReason.keys() if not name.endswith("UNSPECIFIED")}  # noqa: SIM118

    assert values == {f"FAILURE_REASON_{reason}" for reason in Reason}


def test_every_reason_but_the_edges_own_is_the_reason_of_some_error() -> None:
    used = {kind.reason for kind in leaves(TrunklineError)}

    assert set(Reason) - used == {Reason.UNSUPPORTED_MEDIA_TYPE}


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_mapped_on_both_sides(reason: Reason) -> None:
    codes = {code.value[0] for code in grpc.StatusCode if code is not grpc.StatusCode.OK}
    row = edge_status.TABLE[reason]

    assert router_status.GRPC_CODES[reason] in codes
    assert 400 <= row.status < 600
    assert row.type


CONTRACT = {
    "INVALID_REQUEST": (400, "invalid_request_error", None),
    "INVALID_API_KEY": (401, "invalid_request_error", "invalid_api_key"),
    "MODEL_NOT_FOUND": (404, "invalid_request_error", "model_not_found"),
    "NOT_FOUND": (404, "invalid_request_error", None),
    "METHOD_NOT_ALLOWED": (405, "invalid_request_error", None),
    "PAYLOAD_TOO_LARGE": (413, "invalid_request_error", None),
    "UNSUPPORTED_MEDIA_TYPE": (415, "invalid_request_error", None),
    "UPSTREAM_REJECTED": (400, "invalid_request_error", None),
    "RATE_LIMIT_EXCEEDED": (429, "rate_limit_error", "rate_limit_exceeded"),
    "INSUFFICIENT_QUOTA": (429, "insufficient_quota", "insufficient_quota"),
    "UPSTREAM_AUTH": (502, "api_error", "upstream_auth"),
    "UPSTREAM_UNAVAILABLE": (502, "api_error", "upstream_unavailable"),
    "UPSTREAM_TRUNCATED": (502, "api_error", "upstream_truncated"),
    "OVERLOADED": (503, "api_error", "overloaded"),
    "NO_HEALTHY_DEPLOYMENT": (503, "api_error", "no_healthy_deployment"),
    "TIMEOUT": (504, "api_error", "timeout"),
    "INTERNAL": (500, "api_error", "internal_error"),
}


@pytest.mark.parametrize("reason", Reason)
def test_the_table_is_what_the_documents_promise(reason: Reason) -> None:
    row = edge_status.TABLE[reason]

    assert (row.status, row.type, row.code) == CONTRACT[reason]


def test_the_error_tree_lists_what_the_module_defines() -> None:
    kinds = {n for n, v in vars(errors).items() if isinstance(v, type) and n.endswith("Error")}

    assert all(name in (errors.__doc__ or "") for name in kinds)
