"""Templates end: what could build something endless is counted, and what cannot runs as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import DictLoader, Environment
from typer.testing import CliRunner

from grasp_bench.cli.app import app
from grasp_bench.core.errors import DataError
from grasp_bench.spec.loading import load
from grasp_bench.text.checking import check_templates
from grasp_bench.text.sandbox import MeteredEnvironment, is_plain
from grasp_bench.text.templates import EndlessTemplateError, Prompt, read_template, shipped_templates

REPEAT = "{% for i in range(60) %}"
GROWING = "{% set ns = namespace(s=START) %}" + REPEAT + "{% set ns.s = GROWN %}{% endfor %}{{ ns.s }}"
LONG = "{% set a = 'a' * 900000 %}"
ENDLESS = {
    "times": "{{ 'a' * 9999999999 }}",
    "times before": "{{ 9999999999 * 'a' }}",
    "power": "{{ 9 ** 999999999 }}",
    "loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "text in a loop": "{% for a in range(99999) %}" + "x" * 50_000 + "{% endfor %}",
    "filter": "{{ 'a' | center(9999999999) }}",
    "filter by name": "{{ ['a'] | map('center', 9999999999) | list }}",
    "filter while compiling": "{% autoescape 'a' | center(9999999999) %}{% endautoescape %}",
    "method": "{{ item.title.rjust(9999999999) }}",
    "method by attr": "{{ ('a' | attr('center'))(9999999999) }}",
    "tabs": "{{ '\t'.expandtabs(9999999999) }}",
    "bytes": "{{ (5).to_bytes(9999999999, 'big') }}",
    "width": "{{ '{:>9999999999}'.format(1) }}",
    "width of a width": "{{ '{:>{}}'.format(1, 9999999999) }}",
    "percent": "{{ '%9999999999d' % 1 }}",
    "percent star": "{{ '%*d' % (999999999, 1) }}",
    "format": "{{ '%9999999999d' | format(1) }}",
    "replace": "{% set a = 'a' * 10000 %}{{ a.replace('a', a) }}",
    "replacing": "{% set a = 'a' * 10000 %}{{ a | replace('a', a) }}",
    "translate": "{% set a = 'a' * 10000 %}{{ a.translate({97: a}) }}",
    "join": "{% set a = 'a' * 10000 %}{{ a.join(a) }}",
    "indent": "{{ 'a' | indent(9999999999, true) }}",
    "json": "{{ [1] | tojson(9999999999) }}",
    "batch": "{{ [1] | batch(9999999999, 0) | list }}",
    "round": "{{ 1.5 | round(9999999, 'ceil') }}",
    "doubling": "{% set a = 'a' %}" + "{% set a = a ~ a %}" * 60,
    "doubling text": GROWING.replace("START", "'a'").replace("GROWN", "ns.s ~ ns.s"),
    "doubling sum": GROWING.replace("START", "['a']").replace("GROWN", "ns.s + ns.s"),
    "doubling lists": GROWING.replace("START", "'a'").replace("GROWN", "[ns.s, ns.s]"),
    "doubling tuples": GROWING.replace("START", "'a'").replace("GROWN", "(ns.s, ns.s)"),
    "doubling mappings": GROWING.replace("START", "'a'").replace("GROWN", "{1: ns.s, 2: ns.s}"),
    "doubling calls": GROWING.replace("START", "'a'").replace("GROWN", "dict(a=ns.s, b=ns.s)"),
    "doubling cyclers": GROWING.replace("START", "'a'").replace("GROWN", "cycler(ns.s, ns.s).items"),
    "squaring": GROWING.replace("START", "99999").replace("GROWN", "ns.s * ns.s"),
    "quoting": "{% set a = '\"' %}" + "{% set a = a | tojson %}" * 60,
    "blocks": "{% set a = 'a' %}" + "{% set b %}{{ a }}{{ a }}{% endset %}{% set a = b %}" * 60,
    "itself": "{% set ns = namespace() %}{% set ns.s = ns %}{{ ns }}",
    "recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "branching": "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(40) }}",
    "own block": "{% block a %}{{ self.a() }}{% endblock %}",
    "recursive loop": "{% for i in [1, 2] recursive %}{{ loop([1, 2]) }}{% endfor %}",
    "included": "{% for i in range(99999) %}{% include 'item' %}{% endfor %}",
    "searching": LONG + "{% for i in range(99999) %}{% if 'b' in a %}{% endif %}{% endfor %}",
    "slicing": LONG + "{% for i in range(99999) %}{% set b = a[1:] %}{% endfor %}",
}


class Item:
    """As `text.attributes.Record`: what is not known is a word."""

    known = (("title", "Rose soap"), ("brand", "Bär"))
    __iter__ = None

    def __getitem__(self, name: str) -> str:
        return dict(self.known).get(name, "unknown")

    def __str__(self) -> str:
        return "; ".join(f"{name}: {value}" for name, value in self.known)


def written(folder: Path, source: str, name: str = "t.j2") -> str:
    (folder / name).write_text(source)
    return str(folder / name)


@pytest.mark.parametrize("case", ENDLESS)
def test_what_has_no_end_is_refused(case: str, tmp_path: Path) -> None:
    name = written(tmp_path, ENDLESS[case])
    with pytest.raises(DataError, match=f"{re.escape(name)}.*(steps|width|without an end|namespace)"):
        Prompt(name, "items").fill("a", item=Item())


def test_the_line_is_told(tmp_path: Path) -> None:
    name = written(tmp_path, "one\ntwo {{ 'a' * 2 }}\n{{ 'a' * 9999999999 }}\n")
    with pytest.raises(EndlessTemplateError, match=r"t\.j2:3: takes more than 200,000 steps"):
        Prompt(name, "items").fill("a", item=Item())


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
        "{% if 1 %}" * 500 + "{% endif %}" * 500,
        "{{ " + "9" * 5000 + " }}",
        "{% for a in titles %}" * 50 + "{% endfor %}" * 50,
    ],
)
def test_what_cannot_be_compiled_is_no_traceback(source: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t\.j2: cannot be compiled: "):
        Prompt(written(tmp_path, source), "users")


def test_templates_are_not_endless_themselves(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t\.j2: larger than 128 KiB"):
        Prompt(written(tmp_path, "x" * 200_000), "items")
    with pytest.raises(DataError, match=r"t\.j2: has 5,336 parts, and may have 5,000"):
        Prompt(written(tmp_path, "{{ item.title }}" * 2_667), "items")


FINE = [
    "{{ item.title }} {{ item.brand | upper | default('x') }} {{ item['x'] ~ '!' }}",
    "{% for name, value in item.known if name != 'title' %}{{ loop.index }} {{ value }}"
    "{{ ', ' if not loop.last }}{% else %}-{% endfor %}",
    "{% macro m(x, y=2) %}[{{ x | upper }}{{ y }}]{% endmacro %}{{ m(item.title) }}{{ m('a', y='b') }}",
    "{% set ns = namespace(n=0) %}{% for k in item.known %}{% set ns.n = ns.n + 1 %}"
    "{{ '%02d' % ns.n }}{{ k[1] }}{% endfor %}",
    "{% set b %}<{{ item.brand }}>{% endset %}{{ b * 3 }}{{ (2 ** 10) // 3 }} {{ 7 % 4 }}",
    "{{ 1.25 | round(1) }}{% filter upper %}{{ item.title }}{% endfilter %}{{ '{:>5}'.format('a') }}",
    "{{ item.title.split(' ') | join('-') }}{{ 'a,b'.replace(',', ';') }}{{ 'ab' | batch(1) | list }}",
    "{% macro wrap() %}({{ caller('in') }}){% endmacro %}{% call(x) wrap() %}{{ x }}{% endcall %}",
    "{% include 'item' %} {{ [1, 2, 3] | sum }} {{ {'a': 1}['a'] }} {{ (1, 2) | length }}",
    "{{ [3, 1, 2] | sort | map('string') | join(',') }}{{ range(3) | list }}",
    "{% with a = item.title %}{{ a[:4] }}{{ a is string }}{{ 'Rose' in a }}{{ a == 'x' }}{% endwith %}",
    "{% for a in [1, [2, 3]] recursive %}{{ loop(a) if a is iterable else a }}{% endfor %}",
]


@pytest.mark.parametrize("source", FINE)
def test_counting_changes_no_text(source: str) -> None:
    """The metered environment says what plain Jinja says."""
    shipped = {"item": read_template("item")}
    expected = Environment(loader=DictLoader(shipped)).from_string(source).render(item=Item())
    counted = MeteredEnvironment(loader=DictLoader(shipped), autoescape=False)
    assert counted.from_string(source).render(item=Item()) == expected
    assert counted.left < 200_000


def test_shipped_templates_are_plain() -> None:
    for name in shipped_templates():
        assert is_plain(Environment().parse(read_template(name))), name


@pytest.mark.parametrize("source", FINE[:2])
def test_what_fills_and_walks_is_plain(source: str) -> None:
    assert is_plain(Environment().parse(source))


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in titles %}{% for b in titles %}{% endfor %}{% endfor %}",
        "{% for a in titles %}{{ titles | join }}{% endfor %}",
        "{% for a in titles %}{{ titles }}{% endfor %}",
        "{{ titles | map('center', 99) }}",
        "{{ item.title.upper() }}",
        "{% set a = 1 %}",
        "{{ [titles, titles] }}",
    ],
)
def test_what_builds_is_not_plain(source: str) -> None:
    assert not is_plain(Environment().parse(source))


SPEC = "name: x\ndataset: {source: demo}\ncontrols: []\nmodel: {enhancer: grasp}\n"


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (
            "text: {items: {provider: template, template: bomb.j2}}",
            "x.yaml:5:46 text.items.template: bomb.j2:1: takes more than 200,000 steps",
        ),
        (
            "ablations: {a: {text.items.template: bomb.j2}}",
            "x.yaml:5:38 ablations.a.text.items.template: bomb.j2:1: takes more than",
        ),
        (
            "compare: {text.users.template: [visited_items, bad.j2]}",
            "x.yaml:5:48 compare.text.users.template[1]: bad.j2:1: ",
        ),
        (
            "text: {items: {provider: template, template: beauty_itm}}",
            "x.yaml:5:46 text.items.template: unknown template 'beauty_itm'; did you mean 'beauty_item'?",
        ),
    ],
)
def test_validate_says_where(
    more: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "{{ 'a' * 9999999999 }}", "bomb.j2")
    written(tmp_path, "{{ titles | jion }}", "bad.j2")
    Path("x.yaml").write_text(SPEC + more)
    result = CliRunner().invoke(app, ["validate", "x.yaml"])
    assert result.exit_code == 2
    assert result.output.startswith(problem)


def test_templates_that_wait_for_real_values_are_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "{{ item.title[7] }}{{ 1 / (item.price | int) }}", "t.j2")
    for name in ("t.j2", "not_there.j2"):
        Path("x.yaml").write_text(f"{SPEC}text: {{items: {{provider: template, template: {name}}}}}")
        check_templates(load(Path("x.yaml")))
