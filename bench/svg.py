"""Plots, as simple as they can be read: lines on two logarithmic axes, and bars. Pure."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

_WIDTH: Final = 640
_HEIGHT: Final = 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 130, 56, 50
_COLOURS: Final = ("#1f6feb", "#bf3989", "#1a7f37", "#9a6700", "#cf222e", "#57606a")

Points = Sequence[tuple[float, float]]


def lines(title: str, x_label: str, y_label: str, series: Mapping[str, Points]) -> str:
    """Draw one line for each series; points with a value of zero or below are left out."""
    kept = {name: [(x, y) for x, y in each if x > 0 and y > 0] for name, each in series.items()}
    points = [point for each in kept.values() for point in each]
    if not points:
        return _page(title, [])
    x_axis = _Axis([x for x, _ in points], _LEFT, _WIDTH - _RIGHT)
    y_axis = _Axis([y for _, y in points], _HEIGHT - _BOTTOM, _TOP)
    drawn = [*_grid(x_axis, y_axis), _label(_WIDTH / 2 - 30, _HEIGHT - 12, x_label)]
    drawn.append(_label(12, _TOP - 14, y_label))
    for number, (name, each) in enumerate(kept.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        places = [(x_axis.at(x), y_axis.at(y)) for x, y in sorted(each)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        drawn.append(_label(_WIDTH - _RIGHT + 12, _TOP + 18 * number + 8, name, colour))
    return _page(title, drawn)


def bars(title: str, unit: str, values: Mapping[str, float]) -> str:
    """Draw one bar for each value."""
    largest, step = max(values.values(), default=1.0) or 1.0, 34
    drawn = []
    for number, (name, value) in enumerate(values.items()):
        y, width = _TOP + number * step, (_WIDTH - 220) * value / largest
        colour = _COLOURS[number % len(_COLOURS)]
        drawn.append(_label(10, y + 16, name))
        drawn.append(f'<rect x="100" y="{y}" width="{width:.1f}" height="22" fill="{colour}"/>')
        drawn.append(_label(108 + width, y + 16, f"{value:,.0f} {unit}"))
    return _page(title, drawn, _TOP + len(values) * step + 10)


class _Axis:
    """A logarithmic scale from values to places."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self._low = math.floor(math.log10(min(values)))
        self._high = max(self._low + 1, math.ceil(math.log10(max(values))))
        self.start, self.end = start, end

    def at(self, value: float) -> float:
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return self.start + share * (self.end - self.start)

    @property
    def marks(self) -> list[float]:
        return [10.0**power for power in range(self._low, self._high + 1)]


def _grid(x_axis: _Axis, y_axis: _Axis) -> list[str]:
    drawn = []
    for mark in x_axis.marks:
        x = x_axis.at(mark)
        drawn.append(_rule(x, y_axis.start, x, y_axis.end))
        drawn.append(_label(x - 12, y_axis.start + 18, _short(mark)))
    for mark in y_axis.marks:
        y = y_axis.at(mark)
        drawn.append(_rule(x_axis.start, y, x_axis.end, y))
        drawn.append(_label(12, y + 4, _short(mark)))
    return drawn


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#d0d7de"/>'


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _label(x: float, y: float, text: str, colour: str = "#57606a") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}">{escape(text)}</text>'


def _page(title: str, drawn: Sequence[str], height: float = _HEIGHT) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height:.0f}"'
        ' font-family="sans-serif" font-size="12">'
    )
    back = '<rect width="100%" height="100%" fill="white"/>'
    name = f'<text x="10" y="18" font-size="14" fill="#1f2328">{escape(title)}</text>'
    return "\n".join([head, back, name, *drawn, "</svg>", ""])
