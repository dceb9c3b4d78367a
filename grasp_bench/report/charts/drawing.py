"""A Vega-Lite specification drawn as SVG that a page can hold: named, small, and nothing in it but shapes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup

from grasp_bench.core.machine import require
from grasp_bench.core.shown import shown, shown_line
from grasp_bench.report.charts.theme import CONFIG, NARROW, WIDE, Spec
from grasp_bench.report.document import Chart

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"  # a name: nothing is fetched
VERSION = "6.4"
_XMLNS = ' xmlns="http://www.w3.org/2000/svg"'
_SVG = "{http://www.w3.org/2000/svg}"
_ALLOWED = {"svg", "g", "path", "rect", "line", "text", "tspan", "circle"}
_MARKS = {"point", "bar", "rect mark", "rule mark", "square", "circle", "tick", "line mark"}
_GEOMETRY = ("d", "transform", "x", "y", "x1", "x2", "y1", "y2", "width", "height")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
# What browsers assume anyway, or what says nothing once the drawing is one image.
_DEFAULTS = {
    "opacity": "1", "pointer-events": "none", "aria-hidden": "true", "stroke-miterlimit": "10",
    "font-weight": "normal", "stroke-dasharray": "1,0", "transform": "translate(0,0)",
}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A chart as SVG, for wide windows and for phones."""

    wide: Markup
    narrow: Markup


def draw(chart: Chart) -> Picture:
    """Draw a chart in both widths. Raises MissingExtraError where vl-convert is not installed."""
    wide, narrow = (to_svg(chart.make(width), chart.name) for width in (WIDE, NARROW))
    return Picture(wide, narrow)


def to_svg(specification: Spec, name: str) -> Markup:
    """Draw one specification as an image with an accessible name.

    A mark's `description` becomes `data-tip`, which the page's script shows on hovering.
    """
    converter = require("vl_convert", extra="report")
    # What XML cannot hold would end the process, not raise: the converter aborts natively.
    whole = _shown({"$schema": SCHEMA, "config": CONFIG, **specification})
    root = ElementTree.fromstring(converter.vegalite_to_svg(json.dumps(whole), vl_version=VERSION))
    for element in root.iter():
        if element.tag.removeprefix(_SVG) not in _ALLOWED:  # no script, link or style leaves this function
            raise AssertionError(f"a chart with {element.tag} in it")
        _strip(element)
    _prune(root)
    root.attrib = {key: root.attrib[key] for key in ("viewBox", "width", "height")}
    root.attrib |= {"role": "img", "aria-label": shown_line(name)}
    ElementTree.register_namespace("", _SVG[1:-1])
    return Markup(ElementTree.tostring(root, encoding="unicode").replace(_XMLNS, "", 1))


def _shown(value: Any) -> Any:
    """The same specification, its texts as they may be shown."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, Mapping):
        return {shown(key): _shown(each) for key, each in value.items()}
    return [_shown(each) for each in value] if isinstance(value, list | tuple) else value


def _strip(element: ElementTree.Element) -> None:
    """Turn descriptions of marks into tips, and drop attributes that draw nothing."""
    label = element.attrib.pop("aria-label", None)
    described = element.attrib.pop("aria-roledescription", "")
    if label and described in _MARKS:
        element.set("data-tip", label)
    for key in _GEOMETRY:
        if key in element.attrib:
            element.set(key, _LONG_NUMBER.sub(_rounded, element.attrib[key]))
    for key in ("role", "class", "font-family"):
        element.attrib.pop(key, None)
    for key, value in _DEFAULTS.items():
        if element.get(key) == value:
            del element.attrib[key]


def _rounded(found: re.Match[str]) -> str:
    return f"{float(found.group()):.1f}".removesuffix(".0")


def _prune(element: ElementTree.Element) -> None:
    """Remove paths that draw nothing and empty groups, and unwrap groups that say nothing."""
    kept: list[ElementTree.Element] = []
    for child in list(element):
        _prune(child)
        tag = child.tag.removeprefix(_SVG)
        if tag == "g" and not child.attrib:
            kept += list(child)
        elif (tag == "g" and len(child)) or (tag not in ("g", "path")) or _draws(child):
            kept.append(child)
    element[:] = kept


def _draws(path: ElementTree.Element) -> bool:
    inked = path.get("fill") or path.get("stroke") or path.get("data-tip")
    return bool(path.get("d") and inked and path.get("display") != "none")
