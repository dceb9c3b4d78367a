"""One way in: requests in, their answers in the ledger, each sent once and none beyond the budget."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from grasp_bench.core import locks
from grasp_bench.core.errors import StoreError
from grasp_bench.services.asking import Ask, Kind, service_name
from grasp_bench.services.calls import Caller
from grasp_bench.services.cashier import Cashier
from grasp_bench.services.crew import Crew
from grasp_bench.services.journal import Journal
from grasp_bench.services.ledger import Ledger, Spent
from grasp_bench.services.slots import Slots, Tally
from grasp_bench.spec.service import Service

LOOK_AHEAD = 256  # asks pulled and looked up at once


@dataclass(frozen=True)
class Desk:
    """Where answers are kept, whose budget pays (a node's hash), the service, and who is told how many
    asks are answered so far."""

    ledger: Path
    payer: str
    service: Service
    report: Callable[[int], None]


@dataclass(frozen=True)
class Summary:
    """Requests sent (`retried` of them again), asks that needed none, and what the payer has spent in all
    runs together."""

    sent: int
    reused: int
    retried: int
    spent: Spent


def dispatch(kind: Kind, asks: Iterable[Ask], desk: Desk) -> Summary:
    """Have every ask answered: from the ledger, or else by the service. Returns when all answers are kept.

    Asks are pulled in the calling thread, as slots come free. Equal keys are sent once, whichever process
    asks: those that share a ledger ask a service in turn. After any error, answers that are on their way
    are kept first.

    Raises BudgetError when the next request could exceed a limit, ServiceError when the service refuses
    for good or too often, StoreError when answers cannot be kept. They name `Ask.about`, and hold
    neither keys nor what was sent.
    """
    with _turn(desk), Ledger(desk.ledger) as ledger:
        round_ = _Round(kind, desk, ledger)
        with ExitStack() as stack:
            for ask in round_.unanswered(asks):
                crew = round_.crew or round_.start(stack)
                if not crew.offer(ask):
                    break
        round_.tick()
        return Summary(round_.tally.sent, round_.reused, round_.tally.retried, ledger.spent(desk.payer))


@contextmanager
def _turn(desk: Desk) -> Iterator[None]:
    """Wait until no other process asks this service for this ledger.

    What the other has answered is found then; two at once would pay for the prompts that they share, and
    would keep limits of rate and concurrency each for itself.
    """
    path = desk.ledger.with_suffix(f".{service_name(desk.service)}.lock")
    try:
        lock = locks.acquire(path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror or error})") from None
    try:
        yield
    finally:
        lock.release()


class _Round:
    """One dispatch: what is known of it in the calling thread."""

    def __init__(self, kind: Kind, desk: Desk, ledger: Ledger) -> None:
        self._kind: Kind = kind
        self._desk = desk
        self._ledger = ledger
        # Keys handed over whose answers are not on disk yet: the crew's thread takes them out again.
        self._pending: set[bytes] = set()
        self._reported = -1
        self.reused = 0
        self.tally = Tally()
        self.crew: Crew | None = None

    def start(self, stack: ExitStack) -> Crew:
        """Prepare for sending: only now are keys looked for, prices asked, and litellm imported."""
        desk = self._desk
        caller = Caller(self._kind, desk.service)
        journal = stack.enter_context(Journal(desk.ledger))
        cashier = Cashier(desk.service, desk.payer, journal, self._ledger.spent(desk.payer))
        slots = Slots(desk.service, caller, cashier, self._answered)
        self.tally = slots.tally
        self.crew = stack.enter_context(Crew(slots, self.tick))
        return self.crew

    def tick(self) -> None:
        """Report, if there is news."""
        done = self.reused + self.tally.answered
        if done != self._reported:
            self._reported = done
            self._desk.report(done)

    def unanswered(self, asks: Iterable[Ask]) -> Iterator[Ask]:
        """What has to be sent: asks with no answer yet, cut down to the keys that miss one."""
        source = iter(asks)
        while chunk := list(itertools.islice(source, LOOK_AHEAD)):
            keys = [key for ask in chunk for key in ask.keys]
            # In this order: a key that is pending no more is on disk, and is found there.
            known = {key for key in keys if key in self._pending}
            known |= {
                key for key, missing in zip(keys, self._ledger.missing(keys), strict=True) if not missing
            }
            for ask in chunk:
                wanted = [key not in known for key in ask.keys]
                known.update(ask.keys)
                if not any(wanted):
                    self.reused += 1
                    continue
                self._pending.update(ask.keys)
                yield ask if all(wanted) else _cut_down(ask, wanted)
            self.tick()

    def _answered(self, ask: Ask) -> None:
        self._pending.difference_update(ask.keys)


def _cut_down(ask: Ask, wanted: list[bool]) -> Ask:
    """A batch of texts without those that are answered, or on their way in another batch."""
    keys = tuple(itertools.compress(ask.keys, wanted))
    texts = list(itertools.compress(ask.arguments["input"], wanted))
    arguments: Mapping[str, object] = {**ask.arguments, "input": texts}
    return replace(ask, keys=keys, arguments=arguments)
