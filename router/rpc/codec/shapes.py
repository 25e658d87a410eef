"""The engine of the codec: tables of fields, read into messages and written from them.

Strategy. Reading never fails: a value that does not fit its field raises `MisfitError`, and the nearest
object that has an `extra_json` keeps the value's text there. Writing fails only for what a caller put
into a message: text in a `…_json` field that is not JSON of the right type, an `extra_json` that names a
field which is set, a number that JSON cannot spell. `FieldError` then collects the path to the field on
its way out.

The depth of recursion is that of the tables; JSON nested deeper is kept as text.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Protocol

from google.protobuf.message import Message

from router.rpc.codec import kinds, members
from router.rpc.codec.kinds import FieldError, MisfitError, checked_json

EXTRA: Final = "extra_json"
"""The proto field that keeps what no other field can."""


class Kind(Protocol):
    """How the value of one field is read and written."""

    def read(self, text: bytes, message: Message, name: str) -> None:
        """Set field `name` of `message` from JSON.

        Raises:
            MisfitError: if the field cannot hold the value; the field's state is then undefined.

        """
        ...

    def write(self, value: Any) -> bytes:
        """Return the JSON of a field that is set.

        Raises:
            FieldError: if it cannot be written.

        """
        ...


class Shape(Protocol):
    """How a whole message is read and written."""

    def read(self, text: bytes, message: Message) -> None:
        """Fill an empty `message` from JSON.

        Raises:
            MisfitError: if it cannot hold the value; the message's state is then undefined.

        """
        ...

    def write(self, message: Message) -> bytes:
        """Return the JSON of `message`.

        Raises:
            FieldError: if it cannot be written.

        """
        ...


@dataclass(frozen=True)
class Scalar:
    """A field with a plain value."""

    decode: Callable[[bytes], object]
    encode: Callable[[Any], bytes]

    def read(self, text: bytes, message: Message, name: str) -> None:
        setattr(message, name, self.decode(text))

    def write(self, value: Any) -> bytes:
        return self.encode(value)


@dataclass(frozen=True)
class Texts:
    """A repeated string; JSON may give a lone one as itself."""

    one: Scalar

    def read(self, text: bytes, message: Message, name: str) -> None:
        elements = [text] if text.startswith(b'"') else _split_list(text)
        getattr(message, name).extend([self.one.decode(element) for element in elements])

    def write(self, value: Any) -> bytes:
        return members.join_list(map(self.one.encode, value))


@dataclass(frozen=True)
class Values:
    """A repeated plain value; JSON must give a list."""

    one: Scalar

    def read(self, text: bytes, message: Message, name: str) -> None:
        values = [self.one.decode(element) for element in _split_list(text)]
        getattr(message, name).extend(values)

    def write(self, value: Any) -> bytes:
        return members.join_list(map(self.one.encode, value))


@dataclass(frozen=True)
class Numbers:
    """A long list of doubles, read and written at once."""

    def read(self, text: bytes, message: Message, name: str) -> None:
        getattr(message, name).extend(kinds.read_doubles(text))

    def write(self, value: Any) -> bytes:
        return kinds.write_doubles(value)


@dataclass(frozen=True)
class Nested:
    """A field that is a message."""

    shape: Shape

    def read(self, text: bytes, message: Message, name: str) -> None:
        inner = getattr(message, name)
        inner.SetInParent()
        self.shape.read(text, inner)

    def write(self, value: Any) -> bytes:
        return self.shape.write(value)


@dataclass(frozen=True)
class Repeated:
    """A repeated message; one element that does not fit makes the list a misfit."""

    shape: Shape

    def read(self, text: bytes, message: Message, name: str) -> None:
        target = getattr(message, name)
        for element in _split_list(text):
            self.shape.read(element, target.add())

    def write(self, value: Any) -> bytes:
        return members.join_list([self._write(at, item) for at, item in enumerate(value)])

    def _write(self, at: int, item: Message) -> bytes:
        try:
            return self.shape.write(item)
        except FieldError as exc:
            exc.path.insert(0, f"[{at}]")
            raise


@dataclass(frozen=True)
class Constant:
    """A member with one possible value, which no proto field holds."""

    text: bytes

    def read(self, text: bytes, message: Message, name: str) -> None:
        if text != self.text:
            raise MisfitError

    def write(self, value: Any) -> bytes:
        return self.text


@dataclass(frozen=True)
class Field:
    """One row of a table.

    `key` is the JSON key; with a dot, the key in an object that the proto flattens. `name` is the proto
    field, empty for a `Constant`. `absent` is what is written when the field is not set, None for
    nothing; with `when`, only while that other field is set. A message does not fit an object without
    its `needed` members. Of several rows with one key the first that fits reads, the first set writes.
    """

    key: str
    name: str
    kind: Kind
    absent: bytes | None = None
    when: str = ""
    needed: bool = False


@dataclass
class _Node:
    """What a table says of one JSON key: the rows that read it, or the keys of the object under it."""

    rows: list[Field] = field(default_factory=list)
    inner: dict[str, "_Node"] = field(default_factory=dict)


def _tree(rows: Sequence[Field]) -> dict[str, _Node]:
    root = _Node()
    for row in rows:
        node = root
        for key in row.key.split("."):
            node = node.inner.setdefault(key, _Node())
        node.rows.append(row)
    return root.inner


@dataclass(frozen=True)
class Table:
    """A message that is an object, described by its rows; unknown members go to its `extra_json`.

    A `strict` table has no room for them: an object with more members does not fit.
    """

    rows: tuple[Field, ...]
    strict: bool = False

    @cached_property
    def _root(self) -> Mapping[str, _Node]:
        return _tree(self.rows)

    def read(self, text: bytes, message: Message) -> None:
        self.read_members(_split(text), message)

    def read_members(self, given: Mapping[str, bytes], message: Message) -> None:
        """Fill an empty `message` from the members of an object.

        Raises:
            MisfitError: if a needed member is missing or does not fit.

        """
        extra = _read_into(message, self._root, given)
        if extra and self.strict:
            raise MisfitError
        for row in self.rows:
            if row.needed and (row.key.partition(".")[0] not in given or _kept(extra, row.key)):
                raise MisfitError
        if extra:
            setattr(message, EXTRA, members.join(extra).decode())

    def write(self, message: Message) -> bytes:
        return members.join(self.write_members(message))

    def write_members(self, message: Message) -> dict[str, bytes]:
        """Return the members of the message's object, in the order of the rows.

        Raises:
            FieldError: if it cannot be written.

        """
        fields = {descriptor.name: value for descriptor, value in message.ListFields()}
        text = "" if self.strict else fields.pop(EXTRA, "")
        extra = members.split(checked_json(text, b"{", EXTRA)) if text else {}
        return _write_from(fields, self._root, extra)


def table(*rows: Field, strict: bool = False) -> Table:
    """Return the table of these rows."""
    return Table(rows, strict=strict)


def _kept(extra: Mapping[str, bytes], key: str) -> bool:
    """Whether a needed member ended up among the extra ones."""
    head, _, rest = key.partition(".")
    if head not in extra or not rest:
        return head in extra
    return not extra[head].startswith(b"{") or rest in members.split(extra[head])


def _read_into(
    message: Message, nodes: Mapping[str, _Node], given: Mapping[str, bytes]
) -> dict[str, bytes]:
    """Set fields from members; return the members that no field holds."""
    extra = {}
    for key, text in given.items():
        node = nodes.get(key)
        if node is None:
            extra[key] = text
        elif node.inner:
            rest = _read_inner(message, node, text)
            if rest is not None:
                extra[key] = rest
        elif text == b"null":
            if node.rows[0].absent not in (None, b"null") or node.rows[0].needed:
                extra[key] = text
        elif not any(_read_row(message, row, text) for row in node.rows):
            extra[key] = text
    return extra


def _read_inner(message: Message, node: _Node, text: bytes) -> bytes | None:
    """Read an object that the proto flattens; return what is to be kept of it, None for nothing."""
    if text == b"null":
        return None
    if not text.startswith(b"{"):
        return text
    given = members.split(text)
    rest = _read_into(message, node.inner, given)
    is_all_absent = all(given[key] == b"null" for key in given if key not in rest)
    return members.join(rest) if rest or is_all_absent else None


def _read_row(message: Message, row: Field, text: bytes) -> bool:
    """Set the row's field; return whether it holds the value, zero told from absent included."""
    try:
        row.kind.read(text, message, row.name)
    except MisfitError:
        if row.name:
            message.ClearField(row.name)
        return False
    if not row.name or message.DESCRIPTOR.fields_by_name[row.name].has_presence:
        return True
    is_written_as_zero = row.absent not in (None, b"null") and not row.when
    return is_written_as_zero or bool(getattr(message, row.name))


def _write_from(
    fields: Mapping[str, Any], nodes: Mapping[str, _Node], extra: Mapping[str, bytes]
) -> dict[str, bytes]:
    """Return the members for the fields that are set, then the extra ones."""
    out = {}
    for key, node in nodes.items():
        written = (
            _write_inner(fields, node, extra.get(key))
            if node.inner
            else _write_rows(fields, node.rows)
        )
        if written is not None and key in extra and not node.inner:
            raise _collision(key)
        if written is None:
            written = extra.get(key)
        if written is None and not node.inner:
            written = _absent(fields, node.rows[0])
        if written is not None:
            out[key] = written
    out.update((key, text) for key, text in extra.items() if key not in nodes)
    return out


def _write_rows(fields: Mapping[str, Any], rows: Sequence[Field]) -> bytes | None:
    for row in rows:
        if row.name in fields:
            try:
                return row.kind.write(fields[row.name])
            except FieldError as exc:
                exc.path.insert(0, row.name)
                raise
    return None


def _absent(fields: Mapping[str, Any], row: Field) -> bytes | None:
    return row.absent if not row.when or row.when in fields else None


def _write_inner(fields: Mapping[str, Any], node: _Node, extra: bytes | None) -> bytes | None:
    """Write an object that the proto flattens, merged with the rest of it that `extra_json` kept."""
    is_object = extra is not None and extra.startswith(b"{")
    written = _write_from(
        fields, node.inner, members.split(extra) if extra is not None and is_object else {}
    )
    if written and extra is not None and not is_object:
        raise _collision(next(iter(written)))
    return members.join(written) if written or is_object else None


def _collision(key: str) -> FieldError:
    return FieldError(f"it names '{key}', which stands in a field of its own", EXTRA)


def _split(text: bytes) -> dict[str, bytes]:
    try:
        return members.split(text)
    except members.WrongTypeError as exc:
        raise MisfitError from exc


def _split_list(text: bytes) -> list[bytes]:
    try:
        return members.split_list(text)
    except members.WrongTypeError as exc:
        raise MisfitError from exc
