import re

from bench.svg import bars, lines


def test_what_grows_tenfold_on_both_axes_is_a_straight_line() -> None:
    drawn = lines("t", "x", "y", {"a": [(1, 10), (10, 100), (100, 1000)]})

    found = re.search(r'<polyline points="([^"]+)"', drawn)
    assert found
    (x1, y1), (x2, y2), (x3, y3) = (map(float, place.split(",")) for place in found[1].split())
    assert (x2 - x1, y2 - y1) == (x3 - x2, y3 - y2)
    assert x1 < x2
    assert y1 > y2


def test_a_value_that_a_logarithm_does_not_have_is_left_out() -> None:
    drawn = lines("t", "x", "y", {"a": [(1, 1), (10, -3), (20, 2)]})

    assert drawn.count("<circle") == 2
    assert "<polyline" not in lines("t", "x", "y", {"a": []})


def test_bars_are_as_long_as_their_values_and_names_are_text() -> None:
    drawn = bars("t", "<us>", {"a": 10.0, "b": 5.0})

    widths = [float(width) for width in re.findall(r'x="100" y="\d+" width="([\d.]+)"', drawn)]
    assert widths[0] == 2 * widths[1]
    assert "&lt;us&gt;" in drawn
