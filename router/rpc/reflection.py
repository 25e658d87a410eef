"""The standard reflection service, behind the same keys as every other RPC."""

from collections.abc import AsyncGenerator, AsyncIterable
from typing import Any

from grpc_reflection.v1alpha import reflection_pb2_grpc
from grpc_reflection.v1alpha.reflection import aio as reflection_aio

from router.errors import UnauthenticatedError
from router.pipeline.authenticate import Authenticate
from router.rpc import status
from router.rpc.door import Context, credential_of


class ReflectionService(reflection_pb2_grpc.ServerReflectionServicer):
    """Answers those who may call."""

    def __init__(self, service_names: tuple[str, ...], authenticate: Authenticate) -> None:
        self._standard: Any = reflection_aio.ReflectionServicer(service_names)
        self._authenticate = authenticate

    async def ServerReflectionInfo(
        self, request_iterator: AsyncIterable[Any], context: Context
    ) -> AsyncGenerator[Any, None]:
        """Answer as https://grpc.io/docs/guides/reflection/ says."""
        try:
            self._authenticate.check(credential_of(context))
        except UnauthenticatedError as exc:
            await status.abort(context, exc, (), forwards=False)
        async for response in self._standard.ServerReflectionInfo(request_iterator, context):
            yield response
