"""The thread in which requests are sent, so that pulling asks and looking them up never holds one up.

Three threads share the work: the caller's pulls asks and looks keys up, this one's event loop sends,
the journal's writes. An interrupt reaches the caller's thread between two waits, whatever the others do.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from types import TracebackType

from grasp_bench.services.asking import Ask
from grasp_bench.services.slots import Slots

TICK_SECONDS = 0.2
# An interrupted worker is given ten seconds (engine/worker.py) before it is killed.
GRACE_SECONDS = 5.0
LAST_SECONDS = 2.0  # for threads to end once nothing is waited for


class Crew:
    """Runs slots in a thread of its own, as long as the `with` block lasts.

    `tick` is called in the caller's thread whenever it waits. Leaving the block waits until what was
    offered is answered, or what is out has come back, and raises what went wrong. An interrupt waits
    for what is out as well, but not for long.
    """

    def __init__(self, slots: Slots, tick: Callable[[], None]) -> None:
        self._slots = slots
        self._tick = tick
        self._loop = asyncio.new_event_loop()
        # What the loop would print of exceptions that nobody waits for may hold a key.
        self._loop.set_exception_handler(lambda loop, context: None)
        self._thread = threading.Thread(target=self._work, name="requests", daemon=True)

    def __enter__(self) -> Crew:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                self._tell(self._slots.stop)
            else:
                self._tell(self._slots.finish)
            self._wait(GRACE_SECONDS if isinstance(error, KeyboardInterrupt) else None)
        except KeyboardInterrupt:
            if error is None:
                self._tell(self._slots.stop)
                self._wait(GRACE_SECONDS)
            raise
        finally:
            self._tell(self._slots.abandon)  # an empty gesture, where all is done
            self._thread.join(LAST_SECONDS)
        if self._slots.failure is not None and error is None:
            raise self._slots.failure.with_traceback(None) from None

    def offer(self, ask: Ask) -> bool:
        """Hand a request over, once there is room; False when no more are taken."""
        while not self._slots.room.acquire(timeout=TICK_SECONDS):
            self._tick()
            if not self._thread.is_alive():
                return False
        if self._slots.failure is not None:
            return False
        self._tell(self._slots.offer, ask)
        return True

    def _work(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:  # cancels what libraries leave
                runner.run(self._slots.run())
        except Exception as error:
            self._slots.failure = self._slots.failure or error

    def _tell(self, what: Callable[..., None], *about: Ask) -> None:
        try:
            self._loop.call_soon_threadsafe(what, *about)
        except RuntimeError:  # the loop has ended: there is nobody left to be told
            return

    def _wait(self, seconds: float | None) -> None:
        deadline = None if seconds is None else time.monotonic() + seconds
        while self._thread.is_alive() and (deadline is None or time.monotonic() < deadline):
            self._thread.join(TICK_SECONDS)
            self._tick()
