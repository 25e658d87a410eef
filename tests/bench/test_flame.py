"""Stacks are joined where they begin alike; the drawing says whose the time is."""

import xml.etree.ElementTree as ET

from bench.flame import drawn, rooms, tree

_LOOP = "cli:main;asyncio/runners:Runner.run"

STACKS = {
    f"{_LOOP};edge/handlers/chat:ChatHandler.answer": 6,
    f"{_LOOP};edge/handlers/chat:ChatHandler.answer;tornado/web:RequestHandler.flush": 2,
    f"{_LOOP};router/rpc/door:Door.answer": 2,
    "cli:main;launch/config:load": 50,
}


def test_stacks_that_begin_alike_are_one_and_what_is_outside_the_loop_is_left_out() -> None:
    root = tree(STACKS)

    assert root.count == 10
    assert {name: node.count for name, node in root.above.items()} == {
        "edge/handlers/chat:ChatHandler.answer": 8,
        "router/rpc/door:Door.answer": 2,
    }


def test_a_room_has_the_samples_whose_topmost_function_is_in_it() -> None:
    assert rooms(tree(STACKS)) == {
        "edge": 0.6,
        "tornado": 0.2,
        "router": 0.2,
        "standard library and others": 0.0,
    }


def test_the_drawing_is_xml_with_a_box_for_each_function() -> None:
    text = drawn("<a title>", tree(STACKS))

    drawing = ET.fromstring(text)  # noqa: S314 (our own)
    titles = [element.text for element in drawing.iter() if "title" in element.tag]
    assert titles == [
        "event loop 100.0%",
        "edge/handlers/chat:ChatHandler.answer 80.0%",
        "tornado/web:RequestHandler.flush 20.0%",
        "router/rpc/door:Door.answer 20.0%",
    ]


def test_nothing_sampled_is_drawn_as_an_empty_page() -> None:
    drawing = ET.fromstring(drawn("nothing", tree({})))  # noqa: S314 (our own)
    assert drawing.tag.endswith("svg")
