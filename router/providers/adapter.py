"""What an adapter is: the contract between dispatch and the dialects. Sans-I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from router.errors import UpstreamError
from router.values import Deployment, Usage
from router.wire.chat_request import ChatRequest
from router.wire.embedding_request import EmbeddingRequest
from router.wire.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer: OpenAI's JSON for the caller, and the usage read from it on the way."""

    body: bytes = field(repr=False)
    usage: Usage | None


class Frame(NamedTuple):
    """One chunk for the caller, in OpenAI's JSON.

    `is_content` says that it carries generated content (text, reasoning, a tool call, audio) or a finish
    reason: with the first such frame the answer is committed, and after it there is no other answer.
    """

    payload: bytes
    is_content: bool


class StreamDecoder(Protocol):
    """Bytes of one streamed answer in, frames out.

    Lives as long as one response. After `feed` or `finish` the caller looks at `failure`: if it is set,
    the returned frames are the last ones and the decoder takes no more.
    """

    usage: Usage | None
    """Usage of the whole completion, as far as it was stated; never summed up, the last word counts."""

    failure: UpstreamError | None
    """Why the stream failed: an error event, a broken frame, or an end that came too early."""

    is_failure_told: bool
    """Whether the failure already stands among the frames in the provider's own words."""

    done: bool
    """Whether the end mark is to be written for the caller."""

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes as they came; return the frames that they complete."""
        ...

    def finish(self) -> list[Frame]:
        """Tell that the input has ended; sets `failure` if the answer was cut short."""
        ...


class UnaryExchange(Protocol):
    """One attempt: a request translated for one deployment, and the reading of a whole answer."""

    http: HttpRequest
    """The request to send."""

    dropped: tuple[str, ...]
    """Names of the request's parameters that the target cannot honour and that were left out."""

    def decode_response(self, body: bytes) -> Completion:
        """Read the body of a 200.

        Raises:
            UpstreamError: if it cannot be read, or is a failure in disguise.

        """
        ...

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """Read an answer whose status is not 200. Header names are lower case."""
        ...


class Exchange(UnaryExchange, Protocol):
    """One attempt whose answer may be a stream."""

    def stream_decoder(self) -> StreamDecoder:
        """Return the decoder for the streamed body of a 200."""
        ...


class Adapter(Protocol):
    """Translates requests for one dialect."""

    def __call__(self, request: ChatRequest, deployment: Deployment) -> Exchange:
        """Translate `request` for `deployment`.

        Raises:
            InvalidRequestError: if the dialect cannot carry the request's content.

        """
        ...


class Embedder(Protocol):
    """Translates requests for embeddings for one dialect."""

    def __call__(self, request: EmbeddingRequest, deployment: Deployment) -> UnaryExchange:
        """Translate `request` for `deployment`.

        Raises:
            InvalidRequestError: if the dialect cannot carry the request's input.

        """
        ...
