"""The plain kinds of value that the tables share."""

from typing import Final

import msgspec

from router.rpc.codec import kinds
from router.rpc.codec.kinds import ANY_JSON
from router.rpc.codec.shapes import Scalar

INT32: Final = Scalar(kinds.integer(32), kinds.write_integer)
INT64: Final = Scalar(kinds.integer(64), kinds.write_integer)
DOUBLE: Final = Scalar(kinds.read_double, kinds.write_double)
BOOLEAN: Final = Scalar(kinds.read_boolean, kinds.write_boolean)
STRING: Final = Scalar(kinds.read_string, msgspec.json.encode)
OBJECT_TEXT: Final = Scalar(kinds.json_text(b"{"), kinds.write_json_text(b"{"))
ANY_TEXT: Final = Scalar(kinds.json_text(ANY_JSON), kinds.write_json_text(ANY_JSON))
