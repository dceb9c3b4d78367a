"""Rules of the house that a machine can check: who imports whom, how things are named, how long files are."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "grasp_bench"
SOURCES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((REPOSITORY / "tests").rglob("*.py"))
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}
FORBIDDEN_IMPORTS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "pandas"}
LONGEST_FILE = 400


def test_import_contracts_of_pyproject_are_kept() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_files_are_short_and_have_telling_names() -> None:
    for path in (*SOURCES, *TESTS):
        assert not {path.stem, path.parent.name} & VAGUE, path
        assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE, path


def test_sources_say_what_they_are_and_import_by_full_name() -> None:
    for path in SOURCES:
        tree = parsed(path)
        assert not tree.body or ast.get_docstring(tree), f"{path} starts without a docstring"
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert not {alias.name.partition(".")[0] for alias in node.names} & FORBIDDEN_IMPORTS, path
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: imports are absolute"
                assert (node.module or "").partition(".")[0] not in FORBIDDEN_IMPORTS, path


WAITING = {"wait", "communicate", "join", "run"}  # for a process or a thread


def test_tests_wait_as_long_as_a_busy_machine_takes() -> None:
    """Without a limit, or up to `patience.PATIENCE`: some seconds suffice on an idle machine alone."""
    for path in TESTS:
        if path.parent.name == "campaign":
            continue
        for node in ast.walk(parsed(path)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            limits = [each.value for each in node.keywords if each.arg == "timeout"]
            seconds = [each for each in [*node.args, *limits] if isinstance(each, ast.Constant)]
            numbers = [each.value for each in seconds if type(each.value) in (int, float)]
            assert node.func.attr not in WAITING or not numbers, f"{path}:{node.lineno}"


def test_text_leaves_the_process_in_few_places() -> None:
    """All of them write through `core.outlets`; rich prints through `core.console`, text as `plain`."""
    streams = {
        "core/outlets",
        "cli/output",
        "cli/app",
        "cli/data",
        "engine/display",
        "engine/worker",
    }
    for path in SOURCES:
        name = str(path.relative_to(PACKAGE).with_suffix(""))
        names = {
            ast.unparse(node)
            for node in ast.walk(parsed(path))
            if isinstance(node, ast.Attribute | ast.Name | ast.alias)
        }
        assert name in streams or not names & {"sys.stdout", "sys.stderr", "print", "print_exc"}, path
        assert name == "core/outlets" or not any(each.startswith("sys.__std") for each in names), path
        called = {ast.unparse(node.func) for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)}
        assert not called & {"Console", "escape_markup", "rich.print"}, path
        assert "from rich.markup" not in path.read_text(encoding="utf-8"), path


def test_test_folders_mirror_the_packages() -> None:
    packages = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    with_code = {
        name for name in packages if any(path.stem != "__init__" for path in (PACKAGE / name).rglob("*.py"))
    }
    tested = {path.parent.name for path in TESTS if path.stem.startswith("test_")} - {"tests", "campaign"}
    assert tested <= packages
    assert with_code - {"testing"} <= tested  # the contracts run in the tests of each kind


def test_test_files_have_names_of_their_own() -> None:
    """Folders of tests are no packages, so that two files of one name would be one module."""
    names = [path.name for path in TESTS if path.name != "conftest.py"]
    assert len(names) == len(set(names))


def test_every_registered_component_can_be_imported() -> None:
    from grasp_bench import components
    from grasp_bench.core.registry import Components
    from grasp_bench.plan.nodes import STAGE_VERSIONS
    from grasp_bench.report.renderers.registry import RENDERERS
    from grasp_bench.stages.context import STAGES

    for registry in (RENDERERS, STAGES):
        assert all(registry.get(name) for name in registry)
    kinds = [found for found in vars(components).values() if isinstance(found, Components)]
    assert len(kinds) == 12
    assert all(kind.implementation(name) for kind in kinds for name in kind)
    assert set(STAGES) == set(STAGE_VERSIONS)


def test_the_spec_names_no_component() -> None:
    """Components declare their keys themselves, so that one of somebody else's is like one of ours."""
    from grasp_bench import components
    from grasp_bench.core.registry import Components

    kinds = [found for found in vars(components).values() if isinstance(found, Components)]
    # Words that are other things too: a dropout rate, a random choice, no value, a popularity.
    ambiguous = {"none", "dropout", "random", "constant", "popularity", "template", "permute", "exact"}
    names = {name for kind in kinds for name in kind} - ambiguous
    for path in set((PACKAGE / "spec").glob("*.py")) - {PACKAGE / "spec" / "protocols.py"}:  # presets choose
        tree = ast.parse(path.read_text())
        texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        assert not names & texts, path


def test_benchmarks_import_what_is_there() -> None:
    """No check of types covers them, and they are run by hand."""
    for path in (PACKAGE.parent / "benchmarks").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("grasp_bench"):
                module = importlib.import_module(node.module or "")
                for name in node.names:
                    found = hasattr(module, name.name) or find_spec(f"{node.module}.{name.name}")
                    assert found, f"{path.name}: {node.module}.{name.name}"
