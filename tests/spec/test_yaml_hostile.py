"""Text that is wrong, odd or hostile gets one clear problem at its place, and never a traceback."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grasp_bench.core.errors import SpecError
from grasp_bench.spec import yaml_reader
from grasp_bench.spec.loading import load, load_text
from grasp_bench.spec.problems import Problems
from grasp_bench.spec.tree import Place, plain
from grasp_bench.spec.yaml_reader import read_text

HEAD = "name: x\ndataset: {source: demo}\n"
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 9)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)
)


def problems_of(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load_text(text, "x.yaml")
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "x.yaml:1:1: the file is empty; `grasp-bench init` writes a starter"),
        ("# only a comment\n", "x.yaml:1:1: the file is empty; `grasp-bench init` writes a starter"),
        ("- a\n", "x.yaml:1:1: expected a mapping of sections (name, dataset, …), got a list"),
        ("text", "x.yaml:1:1: expected a mapping of sections (name, dataset, …), got the text 'text'"),
        (HEAD + "name: y\n", "x.yaml:3:1 name: duplicate key; it is already given at 1:1"),
        (HEAD + "index: {m: 8, m: 9}", "x.yaml:3:15 index.m: duplicate key; it is already given at 3:9"),
        (HEAD + "model: {heads: .nan}", "x.yaml:3:16 model.heads: .nan is not a finite number"),
        (HEAD + "training: {lr: -.inf}", "x.yaml:3:16 training.lr: -.inf is not a finite number"),
        (HEAD + "training: {lr: 1e999}", "x.yaml:3:16 training.lr: 1e999 is too large for a number"),
        (
            HEAD + "seeds: [9223372036854775808]",
            "x.yaml:3:9 seeds[0]: 9223372036854775808 does not fit into 64 bits",
        ),
        (
            HEAD + f"seeds: [{'9' * 100_000}]",
            "x.yaml:3:9 seeds[0]: 99999999999999999999… (100000 characters) does not fit into 64 bits",
        ),
        (HEAD + "1: 2", "x.yaml:3:1: a key must be text; quote it: '1'"),
        (HEAD + "model: {null: 2}", "x.yaml:3:9 model: a key must be text; quote it: 'null'"),
        (HEAD + "model: {true: 2}", "x.yaml:3:9 model: a key must be text; quote it: 'true'"),
        (HEAD + "? [a, b]\n: 2", "x.yaml:3:3: a key must be text, not a mapping or a list"),
        (HEAD + "'': 2", "x.yaml:3:1: a key must not be empty"),
        (HEAD + "---\nname: y\n", "x.yaml:3:1: a second document begins here; one file is one spec"),
        (HEAD + "description: *nowhere", "x.yaml:3:14 description: alias *nowhere has no anchor before it"),
        (HEAD + "compare: &a {x: *a}", "x.yaml:3:17 compare.x: alias *a contains itself"),
        (HEAD + "model: &m {heads: 1}\nindex:\n  <<: *m\n",
         "x.yaml:5:3 index: merge keys are not part of YAML 1.2; use include:"),
        (HEAD + "description: a\x07b", "x.yaml:3:15: character U+0007 is not allowed"),
    ],
)  # fmt: skip
def test_one_problem_at_its_place(text: str, expected: str) -> None:
    assert problems_of(text) == [expected]


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system ['true']", "!secret x", "!!python/name:os.system", "!!int '3'"]
)
def test_tags_are_refused(tag: str) -> None:
    (problem,) = problems_of(HEAD + f"description: {tag}\n")
    assert problem.startswith("x.yaml:3:14 description: tag ")
    assert "is not allowed" in problem


def test_alias_bomb_is_refused_before_it_expands() -> None:
    (problem,) = problems_of(HEAD + LAUGHS)
    assert "aliases expand to more than 10000 values" in problem


def test_anchors_may_be_used_in_moderation() -> None:
    text = HEAD + "index: {m: &m 16, ef_search: 64}\ncompare: {index.m: [*m, 32]}\n"
    loaded = load_text(text)
    assert loaded.experiment.index.m == 16
    assert loaded.experiment.compare["index.m"] == (16, 32)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "a:\n "])
def test_depth_is_bounded(opening: str) -> None:
    deep = "".join(" " * n + "a:\n" for n in range(500)) if opening == "a:\n " else opening * 500
    assert len(problems_of(deep)) == 1


def test_syntax_errors_carry_line_and_column() -> None:
    (problem,) = problems_of("name: x\ndataset: {source: demo\nmodel: {}\n")
    assert problem.startswith("x.yaml:3:")
    assert "not valid YAML" in problem


def test_tabs_are_named() -> None:
    (problem,) = problems_of("name: x\ndataset:\n\tsource: demo\n")
    assert problem.startswith("x.yaml:3:1: not valid YAML")
    assert problem.endswith("indent with spaces, not tabs")


def test_not_utf8_names_the_offset(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"name: x\ndescription: caf\xe9\n")
    with pytest.raises(SpecError) as caught:
        load(path)
    assert caught.value.problems == [f"{path}:2:17: not UTF-8: byte 0xe9 at offset 24"]


def test_utf16_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(HEAD.encode("utf-16"))
    with pytest.raises(SpecError, match="not UTF-8: byte 0xff at offset 0"):
        load(path)


def test_byte_order_mark_and_windows_lines_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + HEAD.replace("\n", "\r\n").encode())
    assert load(path).experiment.name == "x"


def test_large_files_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"#" * (yaml_reader.MAX_BYTES + 1))
    with pytest.raises(SpecError, match="larger than 1024 KiB"):
        load(path)


def test_a_fifo_is_no_spec_file(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    os.mkfifo(path)
    with pytest.raises(Exception, match="is a named pipe, not a file"):
        load(path)


def test_arguments_that_are_not_unicode() -> None:
    surrogate = os.fsdecode(b"\xff") if sys.getfilesystemencoding() == "utf-8" else "\udcff"
    with pytest.raises(SpecError, match=r"U\+DCFF is not allowed"):
        load_text(HEAD, "x.yaml", [f"description={surrogate}"])


def test_without_the_c_parser_places_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    text = HEAD + "model: {heads: .nan, self: no}\nindex:\n  'm': [1, 2]\n"
    monkeypatch.setattr(yaml_reader, "LOADER", yaml.SafeLoader)
    slow = problems_of(text)
    monkeypatch.undo()
    assert slow == problems_of(text)


@settings(max_examples=200)
@given(st.text(alphabet=st.sampled_from("ab:{}[]&*!|>-?'\"\\ \n\t#,%@`~1.${}é"), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    problems = Problems()
    node = read_text(text, Place("x"), problems)
    assert node is not None or problems.found or not text.strip() or text.lstrip().startswith(("#", "%"))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF, exclude_characters="$\x7f"), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.text("abcxyz_. ", min_size=1, max_size=6), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=100)
@given(JSON_VALUES)
def test_json_is_read_as_json_reads_it(value: object) -> None:
    import json

    problems = Problems()
    text = json.dumps(value, ensure_ascii=False)
    # Control characters of C1 are legal JSON and illegal YAML.
    if yaml_reader.FORBIDDEN.search(text):
        return
    node = read_text(text, Place("x"), problems)
    assert not problems.found
    assert node is not None
    assert plain(node) == value


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029"])
def test_line_breaks_of_one_yaml_version_only_are_refused(character: str) -> None:
    problems = Problems()
    assert read_text(f'name: "a{character}b"', Place("x"), problems) is None
    assert f"U+{ord(character):04X} is not allowed" in str(problems.found)
