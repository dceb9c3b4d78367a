"""Every error the harness raises on purpose.

    GraspBenchError                exit 1   anything below
    ├── SpecError                  exit 2   the YAML file or a --set is wrong; reports all problems at once
    ├── DataError                  exit 3   interactions, items, texts or embeddings are not usable
    │   ├── LeakError              exit 3   a held-out item can be reached from training inputs
    │   └── DownloadError          exit 3   a public file cannot be fetched; what has arrived is kept
    ├── MissingExtraError          exit 4   an optional part is not installed; says which extra
    ├── MissingFileError           exit 3   a path named by the user is not there
    ├── UnknownNameError           exit 2   a registry has no such entry; suggests the nearest
    ├── StoreError                 exit 5   an artefact is absent, or the store cannot be written
    │   └── DamagedError           exit 5   an artefact is not as it was written; it is set aside
    ├── TrainingError              exit 1   loss or score is not finite, or a setting cannot be trained
    ├── PluginError                exit 1   a component of another package fails, or is not what it says
    ├── EvaluationError            exit 1   the evaluation fails a self-check: no figure can be trusted
    ├── ServiceError               exit 7   a model's provider cannot be reached, refuses, or answers nonsense
    │   └── BudgetError            exit 7   the next request could exceed a limit; answers are kept
    ├── IncomparableError          exit 2   two cells may not share a ranking; says why
    └── RunFailedError             exit 6   some cells failed; the others finished

An error says what is wrong (naming file, line, key or entity) and, in `hint`, what to do about it.
"""

from __future__ import annotations


class GraspBenchError(Exception):
    """Base of all deliberate errors: `message` says what is wrong, `hint` what to do."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Workers send errors back to the parent; keyword-only arguments need help to be pickled.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(
    cls: type[GraspBenchError], args: tuple[object, ...], state: dict[str, object]
) -> GraspBenchError:
    error = cls.__new__(cls)
    Exception.__init__(error, *args)
    error.__dict__.update(state)
    return error


MOST_PROBLEMS = 50  # listed in an error; more are counted


class SpecError(GraspBenchError):
    """The spec cannot be used; `problems` holds one line each, in file order, and `more` counts the rest."""

    exit_code = 2

    def __init__(self, problems: list[str], more: int = 0) -> None:
        listed, more = problems[:MOST_PROBLEMS], more + max(0, len(problems) - MOST_PROBLEMS)
        super().__init__("\n".join([*listed, *([f"and {more:,} more problems"] if more else [])]))
        self.problems = listed
        self.more = more


class DataError(GraspBenchError):
    """Input data is not usable as it is."""

    exit_code = 3


class LeakError(DataError):
    """A validation or test item can be reached from something a model trains on."""


class DownloadError(DataError):
    """A public file cannot be fetched, or is not the one that was expected."""


class MissingFileError(GraspBenchError):
    """A path named by the user does not exist."""

    exit_code = 3


class MissingExtraError(GraspBenchError):
    """An optional dependency is not installed."""

    exit_code = 4

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(f"'{module}' is not installed", hint=f"pip install 'grasp-bench[{extra}]'")


class UnknownNameError(GraspBenchError):
    """A registry has no entry of this name."""

    exit_code = 2


class StoreError(GraspBenchError):
    """An artefact is absent or damaged, or the store cannot be written."""

    exit_code = 5


class DamagedError(StoreError):
    """An artefact was altered since it was written."""


class TrainingError(GraspBenchError):
    """Training cannot go on."""


class PluginError(GraspBenchError):
    """A component of another package fails, or breaks the contract of its kind."""


class EvaluationError(GraspBenchError):
    """The evaluation fails a self-check."""


class ServiceError(GraspBenchError):
    """A provider of text or embeddings failed for good; earlier answers are kept."""

    exit_code = 7


class BudgetError(ServiceError):
    """The next request could cost more than the spec allows."""


class IncomparableError(GraspBenchError):
    """Two cells may not share a ranking."""

    exit_code = 2


class RunFailedError(GraspBenchError):
    """Some cells failed; the others finished."""

    exit_code = 6
