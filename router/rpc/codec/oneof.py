"""Messages whose `oneof` decides their shape."""

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.message import Message

from router.rpc.codec.kinds import FieldError, MisfitError
from router.rpc.codec.shapes import EXTRA, Kind, Shape


@dataclass(frozen=True)
class Bare:
    """One way of a `OneOf`: the value itself, held by one field."""

    name: str
    kind: Kind

    def read(self, text: bytes, message: Message) -> None:
        self.kind.read(text, message, self.name)

    def write(self, message: Message) -> bytes:
        if getattr(message, EXTRA, ""):
            raise FieldError(f"nothing can stand beside {self.name}", EXTRA)
        try:
            return self.kind.write(getattr(message, self.name))
        except FieldError as exc:
            exc.path.insert(0, self.name)
            raise


@dataclass(frozen=True)
class OneOf:
    """A message whose `oneof` decides its shape. The first way that fits reads."""

    oneof: str
    ways: Mapping[str, Shape]

    def read(self, text: bytes, message: Message) -> None:
        for way, shape in self.ways.items():
            try:
                shape.read(text, message)
            except MisfitError:
                message.Clear()
                continue
            if message.WhichOneof(self.oneof) == way:
                return
            message.Clear()
        raise MisfitError

    def write(self, message: Message) -> bytes:
        way = message.WhichOneof(self.oneof)
        if way is None:
            raise FieldError(f"one of {', '.join(self.ways)} must be set")
        return self.ways[way].write(message)
