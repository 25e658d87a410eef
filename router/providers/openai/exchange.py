"""One attempt in the OpenAI dialect."""

from collections.abc import Mapping

from router.errors import UpstreamError, UpstreamUnavailableError
from router.providers.adapter import Completion
from router.providers.openai import errors, peek
from router.providers.openai.stream import OpenAIStreamDecoder
from router.values import Deployment, Provider
from router.wire.chat_request import ChatRequest
from router.wire.http import HttpRequest
from router.wire.jsontext import MalformedJsonError


class OpenAIExchange:
    """The caller's request as it is sent, and the reading of the answer. See `Exchange`."""

    dropped: tuple[str, ...] = ()

    def __init__(self, request: ChatRequest, deployment: Deployment) -> None:
        ask_usage = request.stream and not deployment.provider.volunteers_usage
        self._hides_usage = ask_usage and not request.include_usage
        self.http = HttpRequest(
            method="POST",
            url=deployment.url,
            headers={
                "content-type": "application/json",
                "accept": "text/event-stream" if request.stream else "application/json",
                **_credential(deployment.provider),
                **deployment.provider.headers,
            },
            body=request.edited(model=deployment.upstream_model, ask_usage=ask_usage),
        )

    def decode_response(self, body: bytes) -> Completion:
        """See `Exchange.decode_response`."""
        try:
            usage = peek.answer(body).usage
        except MalformedJsonError as exc:
            msg = f"The provider's answer is not valid JSON: {exc}."
            raise UpstreamUnavailableError(msg) from exc
        return Completion(body, usage.value() if usage else None)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """See `Exchange.decode_error`."""
        return errors.decode(status, headers, body)

    def stream_decoder(self) -> OpenAIStreamDecoder:
        """See `Exchange.stream_decoder`."""
        return OpenAIStreamDecoder(hides_usage=self._hides_usage)


def _credential(provider: Provider) -> dict[str, str]:
    """Return the header that carries the key: bare in the provider's own, else as a bearer token."""
    if provider.api_key is None:
        return {}
    key = provider.api_key.reveal()
    if provider.key_header:
        return {provider.key_header.lower(): key}
    return {"authorization": f"Bearer {key}"}
