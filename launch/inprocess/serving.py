"""Runs servicers, each in its task, and turns what comes of it into a status."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Any

import grpc
import structlog

from launch.inprocess.context import Context
from launch.inprocess.passing import TooLargeError
from launch.inprocess.rpc import Rpc

_LOG = structlog.get_logger("trunkline.launch")

Answering = Callable[[Any, Context], Coroutine[Any, Any, None]]
"""Has a servicer answer a request."""


def answering(handler: Any) -> Answering:
    """Return what has the servicer of `handler` answer; the forms are those that `grpc.aio` knows.

    A plain function is called as it is, and must not block; the generated ones, of methods that a servicer
    has not, raise.

    Raises:
        NotImplementedError: if the method has a stream of requests.

    """
    if handler.request_streaming:
        raise NotImplementedError("An in-process server serves no streams of requests.")
    if not handler.response_streaming:
        return _whole(handler.unary_unary)
    servicer = handler.unary_stream
    if inspect.isasyncgenfunction(servicer):
        return _generated(servicer)
    return _written(servicer)


async def run(rpc: Rpc, context: Context, request: Any, answer: Answering) -> None:
    """Have `request` answered, and `rpc` ended whatever happens."""
    answered = answer(request, context)
    del request  # a servicer lets go of it when it needs it no more
    try:
        await answered
        if context.aborted is not None:
            _LOG.error("abort_suppressed", method=rpc.method)
    except asyncio.CancelledError:
        # Mostly for a caller who is gone, and hears nothing of this.
        context.fail(grpc.StatusCode.CANCELLED, "The servicer was cancelled.")
    except TooLargeError as exc:
        context.fail(grpc.StatusCode.RESOURCE_EXHAUSTED, f"SERVER: Sent {exc}")
    except grpc.aio.InternalError as exc:
        context.fail(grpc.StatusCode.INTERNAL, str(exc))
    except Exception as exc:  # noqa: BLE001 (the outermost one: a servicer's fault is told to its caller)
        if exc is not context.aborted:
            _LOG.exception("servicer_failed", method=rpc.method)
            context.fail(grpc.StatusCode.UNKNOWN, f"Unexpected {type(exc)}: {exc}")


def _whole(servicer: Callable[..., Any]) -> Answering:
    async def answer(request: Any, context: Context) -> None:
        response = servicer(request, context)
        del request
        if inspect.isawaitable(response):
            response = await response
        if context.aborted is None:
            context.answer(response)

    return answer


def _generated(servicer: Callable[..., Any]) -> Answering:
    async def answer(request: Any, context: Context) -> None:
        generated = servicer(request, context)
        del request
        async with aclosing(generated) as responses:
            async for response in responses:
                # What `write` does, without a coroutine for each message.
                if (taken := context.offer(response)) is not None:
                    await taken
        if context.aborted is None:
            context.finish()

    return answer


def _written(servicer: Callable[..., Any]) -> Answering:
    async def answer(request: Any, context: Context) -> None:
        await servicer(request, context)
        if context.aborted is None:
            context.finish()

    return answer
