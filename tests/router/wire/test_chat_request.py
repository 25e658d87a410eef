"""Requests are judged by the contract and edited in place."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import InvalidRequestError
from router.wire.chat_request import ChatRequest

MINIMAL = b'{"model": "m", "messages": []}'


def parse(body: bytes) -> ChatRequest:
    return ChatRequest.parse(body, created=1)


def test_the_fields_that_routing_needs_are_read() -> None:
    request = parse(
        b'{"model": "a/b", "messages": [{"role": "user"}], "stream": true,'
        b' "stream_options": {"include_usage": true}}'
    )

    assert (request.model, request.stream, request.include_usage) == ("a/b", True, True)


@pytest.mark.parametrize("stream", [b"false", b"null"])
def test_stream_may_be_false_or_null(stream: bytes) -> None:
    assert parse(MINIMAL[:-1] + b', "stream": ' + stream + b"}").stream is False


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"[]", None),
        (b"null", None),
        (b"{", None),
        (MINIMAL + b"x", None),
        (MINIMAL[:-1] + b', "x": NaN}', None),
        (MINIMAL[:-1] + b', "x": "\xff"}', None),
        (MINIMAL[:-1] + b', "x": ' + b"[" * 100_000 + b"}", None),
        (b'{"messages": []}', "model"),
        (b'{"model": 1, "messages": []}', "model"),
        (b'{"model": null, "messages": []}', "model"),
        (b'{"model": "m"}', "messages"),
        (b'{"model": "m", "messages": {}}', "messages"),
        (b'{"model": "m", "messages": ["x"]}', "messages"),
        (b'{"model": "m", "messages": [[]]}', "messages"),
        (MINIMAL[:-1] + b', "stream": 1}', "stream"),
        (MINIMAL[:-1] + b', "stream": "true"}', "stream"),
        (MINIMAL[:-1] + b', "model": "n"}', "model"),
        (MINIMAL[:-1] + b', "mod\\u0065l": "n"}', "model"),
        (MINIMAL[:-1] + b', "stream": true, "\\u0073tream": false}', "stream"),
    ],
)
def test_what_the_contract_refuses_is_refused_and_named(body: bytes, param: str | None) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse(body)

    assert caught.value.param == param
    assert caught.value.message


@pytest.mark.parametrize(
    "extra",
    [
        b'"temperature": "hot"',
        b'"temperature": 1, "temperature": 2',
        b'"x": "\\ud83d"',
        b'"x": 1e400',
        b'"x": {"model": 1, "stream": 2}',
        b'"stream_options": "yes"',
    ],
)
def test_every_other_field_is_the_providers_to_judge(extra: bytes) -> None:
    body = MINIMAL[:-1] + b", " + extra + b"}"

    assert parse(body).edited(model="m", ask_usage=False) == body


def test_a_body_that_needs_no_edit_is_the_callers_own() -> None:
    request = parse(MINIMAL)

    assert request.edited(model="m", ask_usage=False) is request.body


def test_only_the_model_is_edited() -> None:
    body = ' {"x":1.0,\n"model" :"m", "messages":[{"model":"m","content":"é"}]}'.encode()

    edited = parse(body).edited(model='up"é', ask_usage=False)

    assert edited == body.replace(b'"model" :"m"', b'"model" :"up\\"\\u00e9"')


@pytest.mark.parametrize(
    ("options", "edited"),
    [
        (b"", b'{"stream_options":{"include_usage":true},"model":"m","messages":[]'),
        (b'"stream_options": null', b'"stream_options": {"include_usage":true}'),
        (b'"stream_options": {}', b'"stream_options": {"include_usage":true}'),
        (b'"stream_options": {"a": 1}', b'"stream_options": {"include_usage":true,"a": 1}'),
        (
            b'"stream_options": {"include_usage": false, "a": 1}',
            b'"stream_options": {"include_usage": true, "a": 1}',
        ),
        (b'"stream_options": "x"', b'"stream_options": "x"'),
        (b'"stream_options": {"include_usage":true}', b'"stream_options": {"include_usage":true}'),
    ],
)
def test_usage_is_asked_for_once(options: bytes, edited: bytes) -> None:
    body = b'{"model":"m","messages":[]' + (b"," + options if options else b"") + b"}"

    assert edited in parse(body).edited(model="m", ask_usage=True)


@given(
    st.dictionaries(
        st.text().filter(lambda k: k not in {"model", "messages", "stream", "stream_options"}),
        st.none() | st.integers() | st.text() | st.lists(st.text()),
    ),
    st.text(),
)
def test_an_edit_changes_one_value_of_any_request(rest: dict[str, object], model: str) -> None:
    fields = {**rest, "model": "m", "messages": []}

    edited = parse(json.dumps(fields).encode()).edited(model=model, ask_usage=True)

    assert json.loads(edited) == {
        **fields,
        "model": model,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize(
    "body",
    [
        '{"model": "m", "messages": [{"role": "user", "content": "\\u00e9 \\"model\\""}]}',
        '{ "messages" : [] ,\n"model"\t:  "m" , "x": 1}',
        '{"messages": [{"role": "model"}], "model": "m"}',
        '{"messages": [], "tools": [{"model": "inner"}], "model": "m"}',
        '{"mod\\u0065l": "m", "messages": [{"model": "inner"}]}',
        '{"messages": [], "model": "m", "stream_options": {"x": 1}}',
        '{"messages": [], "model": "\\u006d"}',
        '{"metadata": {"messages": [{"x": 1}], "model": "in"}, "model": "m", "messages": [{"x": 1}]}',
        '{"metadata": {"messages": [{"x": 1}]}, "messages": [{"x": 2}], "model": "m"}',
        '{"messages": [{"x": 1}], "messages": [{"x": 2}], "model": "m"}',
        '{"messages": [{"x": 1}], "messages": [{"x": 1}], "model": "m"}',
        '{"user": "messages", "model": "m", "messages" \t: \n [{"content": "\\"model\\": 1"}]}',
        '{"m\\u0065ssages": [{"x": 1}], "model": "m"}',
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_only_the_model_is_edited_wherever_and_however_it_stands(
    body: str, *, stream: bool
) -> None:
    request = ChatRequest.parse(body.encode(), created=0)

    edited = json.loads(request.edited(model='new "one"', ask_usage=stream))

    expected = {**json.loads(body), "model": 'new "one"'}
    if stream:
        expected["stream_options"] = {**expected.get("stream_options", {}), "include_usage": True}
    assert edited == expected


_MODEL = "\\u006dodel"
_NAMES = st.sampled_from(["model", "messages", "stream", "stream_options", "x", _MODEL])
_SPACES = st.sampled_from(["", " ", "\n\t"])
_MESSAGES = st.sampled_from(["[]", '[{"model":"a"}]', '[{"messages":[{"stream":true}]}, {}]'])
_OTHERS = st.sampled_from(
    ['"model"', '{"messages":[]}', '{"model":"a","messages":[{"model":"a"}]}', "[true]", "null"]
)


def _members(draw: st.DrawFn) -> list[tuple[str, str]]:
    names = draw(st.lists(_NAMES, max_size=5))
    values = {
        _MODEL: st.just('"a"'),
        "model": st.just('"a"'),
        "messages": _MESSAGES,
        "stream": st.just("true"),
    }
    members = [(name, draw(values.get(name, _OTHERS))) for name in names]
    required = [("model", '"a"'), ("messages", draw(_MESSAGES)), ("stream", "true")]
    return draw(st.permutations([*members, *(r for r in required if r[0] not in names)]))


@st.composite
def _bodies(draw: st.DrawFn) -> str:
    space = draw(_SPACES)
    written = [f'{space}"{name}"{space}:{space}{value}{space}' for name, value in _members(draw)]
    return "{" + ",".join(written) + "}"


@given(_bodies())
def test_two_spellings_of_a_name_are_refused_and_nothing_else_is(body: str) -> None:
    keys: list[str] = json.loads(body, object_pairs_hook=lambda pairs: [key for key, _ in pairs])
    twice = [key for key in ("model", "stream") if keys.count(key) > 1]
    if twice:
        with pytest.raises(InvalidRequestError, match=r"'(model|stream)' twice"):
            parse(body.encode())
        return

    request = parse(body.encode())

    fields = json.loads(body)
    assert json.loads(request.edited(model="new", ask_usage=False)) == {**fields, "model": "new"}
