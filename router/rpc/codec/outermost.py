"""The outermost messages: where the tables' errors become the caller's or the provider's."""

from typing import Final

from google.protobuf.message import Message

from router.errors import InvalidRequestError, UpstreamUnavailableError
from router.rpc.codec.kinds import FieldError, MisfitError
from router.rpc.codec.shapes import Table
from router.wire import jsontext

TOO_DEEP: Final = "The request's JSON is nested too deeply."
"""JSON that passes the check may still be too deep some Python frames further down."""


def read_answer(table: Table, text: bytes, message: Message) -> None:
    """Fill an empty `message` from a provider's answer.

    Raises:
        UpstreamUnavailableError: if it is not a well-formed JSON object.

    """
    try:
        jsontext.check(text)
        table.read(text, message)
    except (jsontext.MalformedJsonError, MisfitError, RecursionError) as exc:
        raise UpstreamUnavailableError("The provider's answer is not a JSON object.") from exc


def written(table: Table, message: Message) -> dict[str, bytes]:
    """Return the members of a message's object.

    Raises:
        InvalidRequestError: if it cannot be written; `param` is the path of the proto field.

    """
    try:
        return table.write_members(message)
    except FieldError as exc:
        raise refused(exc) from exc
    except jsontext.MalformedJsonError as exc:
        # Each text has been checked: what remains is an object with more members than are looked at.
        raise InvalidRequestError(f"JSON text of the request is refused: {exc}.") from exc
    except RecursionError as exc:
        raise InvalidRequestError(TOO_DEEP) from exc


def refused(exc: FieldError) -> InvalidRequestError:
    """Return a field's failure as the caller's."""
    return InvalidRequestError(f"Invalid '{exc.where}': {exc.problem}.", param=exc.where)
