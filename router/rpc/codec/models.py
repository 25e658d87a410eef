"""The model list as the messages of `protos/trunkline/v1/model_service.proto`; that way only."""

import base64
import binascii
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from router.errors import InvalidRequestError
from router.routing.health import Standing
from router.routing.snapshot import Model, Snapshot
from router.values import Deployment
from trunkline.v1 import model_service_pb2 as pb

StandingOf = Callable[[Deployment], Standing]
"""Says how a deployment stands now."""

DEFAULT_PAGE_SIZE: Final = 1000
MAX_PAGE_SIZE: Final = 10_000
"""What the proto promises; a model is some hundred bytes, so a page stays within a message."""


def list_models_response(
    snapshot: Snapshot, standing: StandingOf, page_size: int = 0, page_token: str = ""
) -> pb.ListModelsResponse:
    """Return a page of the list. A token names the last model of the page before.

    Raises:
        InvalidRequestError: for a size out of range, or a token that does not lead into this list.

    """
    if not 0 <= page_size <= MAX_PAGE_SIZE:
        msg = f"Invalid 'page_size': expected 0 to {MAX_PAGE_SIZE}."
        raise InvalidRequestError(msg, param="page_size")
    start = _after(snapshot, page_token) if page_token else 0
    end = start + (page_size or DEFAULT_PAGE_SIZE)
    page = snapshot.models[start:end]
    has_more = bool(page) and end < len(snapshot.models)
    return pb.ListModelsResponse(
        models=[model_message(model, standing) for model in page],
        next_page_token=_token(page[-1].id) if has_more else "",
        generation=snapshot.generation,
    )


def watch_models_response(snapshot: Snapshot, standing: StandingOf) -> pb.WatchModelsResponse:
    """Return one state of the list."""
    return pb.WatchModelsResponse(
        generation=snapshot.generation,
        models=[model_message(model, standing) for model in snapshot.models],
    )


def model_message(model: Model, standing: StandingOf) -> pb.Model:
    """Return one model."""
    return pb.Model(
        id=model.id,
        created=model.created,
        owned_by=model.owned_by,
        family=model.family,
        aliases=model.aliases,
        deployments=[_deployment(each, standing(each)) for each in model.deployments],
    )


def _deployment(deployment: Deployment, standing: Standing) -> pb.Deployment:
    price = deployment.price
    return pb.Deployment(
        provider=deployment.provider.name,
        upstream_model=deployment.upstream_model,
        dialect=deployment.dialect.value,
        prompt_price_1k=_decimal(price.prompt_1k) if price else None,
        completion_price_1k=_decimal(price.completion_1k) if price else None,
        weight=deployment.weight,
        priority=deployment.priority,
        context_window=deployment.context_window,
        max_output_tokens=deployment.max_output_tokens,
        unavailable_reason=standing.words,
        state=pb.DeploymentState.Value(f"DEPLOYMENT_STATE_{standing.readiness.name}"),
        retry_in_seconds=standing.seconds,
        calls_in_flight=standing.in_flight,
    )


def _decimal(value: Decimal) -> str:
    return format(value, "f")


def _token(model_id: str) -> str:
    return base64.urlsafe_b64encode(model_id.encode()).decode()


def _after(snapshot: Snapshot, token: str) -> int:
    """Return the position after the model that `token` names."""
    try:
        last = base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as exc:
        raise _lost() from exc
    for position, model in enumerate(snapshot.models):
        if model.id == last:
            return position + 1
    raise _lost()


def _lost() -> InvalidRequestError:
    msg = "Invalid 'page_token': it does not lead into the list as it is now; start again without one."
    return InvalidRequestError(msg, param="page_token")
