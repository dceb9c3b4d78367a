"""A key that somebody writes into a spec is refused, told where, and never printed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from grasp_bench.cli.app import app
from grasp_bench.core.errors import SpecError
from grasp_bench.core.shown import looks_secret, masked
from grasp_bench.spec.loading import load_text

# None of these was ever handed out.
PLANTED = "sk-proj-PLANTED0123456789abcdefXYZ"
SHORT = "hunter2hunter2"
ADVICE = "keys come from the environment or .env: set api_key_env to the variable's name"
SPEC = """\
name: x
dataset: {source: demo}
model: {enhancer: grasp}
text:
  items: {provider: litellm, model: openai/gpt-4o-mini%s}
"""


def problems(text: str, overrides: Sequence[str] = ()) -> str:
    with pytest.raises(SpecError) as caught:
        load_text(text, "x.yaml", overrides)
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize("key", ["api_key", "apikey", "API-KEY", "token", "secret", "password"])
@pytest.mark.parametrize("value", [PLANTED, SHORT, f"[{SHORT}]", f"{{a: {SHORT}}}"])
def test_unknown_keys_of_access_say_where_keys_come_from(key: str, value: str) -> None:
    told = problems(SPEC % f", {key}: {value}")
    assert told.startswith("x.yaml:5:")
    assert ADVICE in told
    assert "PLANTED" not in told
    assert SHORT not in told


@pytest.mark.parametrize(
    "text",
    [
        SPEC % f", system: 'Use {PLANTED} please'",
        SPEC % f", top_p: {PLANTED}",
        SPEC % f", {PLANTED}: 1",
        SPEC % f", redact: [title, {PLANTED}]",
        SPEC % f", api_base: 'http://localhost/{PLANTED}'",
        SPEC % f", api_key_env: {PLANTED}",
        SPEC % "" + f"compare: {{text.items.api_key: [{PLANTED}]}}\n",
        SPEC % "" + f"ablations: {{a: {{text.items.system: {PLANTED}}}}}\n",
        SPEC % "" + f"{PLANTED}\n",
        f"name: {PLANTED}\n",
        f"name: x\nname: {PLANTED}\nname: '{PLANTED}\n",
        f"{PLANTED}\n",
        f"[{PLANTED}]\n",
    ],
)
def test_values_that_look_like_keys_are_refused_anywhere_and_not_quoted(text: str) -> None:
    assert "PLANTED" not in problems(text)


@pytest.mark.parametrize(
    "override", [f"text.items.api_key={PLANTED}", f"text.items.system={PLANTED}", PLANTED, f"{PLANTED}=1",
                 f"text.items.api_key={SHORT}", f"text.items.api_key_env={PLANTED}"]
)  # fmt: skip
def test_overrides_are_not_quoted_either(override: str) -> None:
    told = problems(SPEC % "", [override])
    assert told.startswith("--set")
    assert "PLANTED" not in told
    assert SHORT not in told


@pytest.mark.parametrize("value", ["0123456789abcdef0123456789abcdef", "ab1cdef2ghij3klmn4opqrs", "no name"])
def test_a_key_in_the_place_of_its_variable_is_not_quoted(value: str) -> None:
    told = problems(SPEC % f", api_key_env: '{value}'")
    assert "expected the name of an environment variable, such as OPENAI_API_KEY" in told
    assert value not in told


@pytest.mark.parametrize(
    "name", ["OPENAI_API_KEY", "key", "MY_VERY_LONG_KEY_OF_THE_SECOND_PROJECT_2", "AZUREAPIKEYOFTHETEAM"]
)
def test_names_of_variables_are_accepted(name: str) -> None:
    source = load_text(SPEC % f", api_key_env: {name}").experiment.text.items
    assert source.model_dump()["api_key_env"] == name


def test_what_is_no_secret_is_left_alone() -> None:
    for text in (
        "sk-learn",
        "risk-2024-assessment-of-things",
        "data/sk-models",
        "max_tokens",
        "hf_hub",
        "eyJ",
    ):
        assert not looks_secret(text)
        assert masked(text) == text
    assert masked(f"a {PLANTED}, b") == "a ***, b"


@pytest.mark.parametrize("command", [["validate"], ["spec", "explain"], ["plan"]])
def test_no_command_prints_it(command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from grasp_bench.cli.output import report_error

    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.yaml").write_text(SPEC % f", api_key: {SHORT}, system: {PLANTED}")
    result = CliRunner().invoke(app, [*command, "x.yaml"])
    if isinstance(result.exception, SpecError):
        report_error(result.exception)
    assert result.exit_code != 0
    assert "PLANTED" not in result.output + str(result.exception)
    assert SHORT not in result.output + str(result.exception)
