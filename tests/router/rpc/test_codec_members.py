import pytest

from router.rpc.codec import members


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (b"{}", {}),
        (b' { "a" : 1.0 , "b":{"c": [1, 2]} } ', {"a": b"1.0", "b": b'{"c": [1, 2]}'}),
        (b'{"a":1,"a":2}', {"a": b"2"}),
        (b'{"a":"\\ud800", "b" : 1e999}', {"a": b'"\\ud800"', "b": b"1e999"}),
        (b'{"\\ud800":1}', {"\ud800": b"1"}),
        ('{"é":"ü"}'.encode(), {"é": '"ü"'.encode()}),
    ],
)
def test_objects_are_cut_without_respelling(text: bytes, parts: dict[str, bytes]) -> None:
    assert members.split(text) == parts
    assert members.split(members.join(parts)) == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (b"[]", []),
        (b"[ ]", []),
        (b' [ 1.0 , "," , [2, 3] ] ', [b"1.0", b'","', b"[2, 3]"]),
        (b' [ "\\ud800" , 1e999 ,{"a": "]"} ] ', [b'"\\ud800"', b"1e999", b'{"a": "]"}']),
    ],
)
def test_lists_are_cut_without_respelling(text: bytes, parts: list[bytes]) -> None:
    assert members.split_list(text) == parts
    assert members.split_list(members.join_list(parts)) == parts


@pytest.mark.parametrize("text", [b"[]", b"1", b'"{}"', b"null", b""])
def test_what_is_no_object_is_not_cut(text: bytes) -> None:
    with pytest.raises(members.WrongTypeError):
        members.split(text)


@pytest.mark.parametrize("text", [b"{}", b"1", b'"[]"', b"null", b""])
def test_what_is_no_list_is_not_cut(text: bytes) -> None:
    with pytest.raises(members.WrongTypeError):
        members.split_list(text)
