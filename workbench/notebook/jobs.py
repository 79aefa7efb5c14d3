"""Work beside the kernel's main thread, with results brought back to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

Done = Callable[[Any, "BaseException | None"], None]


class Jobs(Protocol):
    """Runs work one piece after another."""

    def run(self, work: Callable[[], Any], done: Done) -> None:
        """Run `work`, then call `done` with its result, or with None and the error."""

    def later(self, work: Callable[[], Any], done: Done) -> None:
        """The same for what may take seconds and must not hold up other work."""

    def soon(self, call: Callable[[], None]) -> None:
        """Call something in the main thread."""


class DirectJobs:
    """Runs everything at once where it is asked: for scripts and tests."""

    def run(self, work: Callable[[], Any], done: Done) -> None:
        """Run `work` now."""
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - handed to the caller
            done(None, error)
            return
        done(result, None)

    later = run

    def soon(self, call: Callable[[], None]) -> None:
        """Call it now."""
        call()


class LoopJobs:
    """Runs work in a thread of its own and answers in an asyncio loop, the kernel's."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="workbench")
        self._slow = ThreadPoolExecutor(1, thread_name_prefix="workbench-slow")

    def run(self, work: Callable[[], Any], done: Done) -> None:
        """Queue `work`."""
        self._submit(self._pool, work, done)

    def later(self, work: Callable[[], Any], done: Done) -> None:
        """Queue `work` in a thread for slow things."""
        self._submit(self._slow, work, done)

    def _submit(self, pool: ThreadPoolExecutor, work: Callable[[], Any], done: Done) -> None:

        def finished(future: Future[Any]) -> None:
            error = future.exception()
            self.soon(lambda: done(None if error else future.result(), error))

        pool.submit(work).add_done_callback(finished)

    def soon(self, call: Callable[[], None]) -> None:
        """Call it in the loop, when no cell runs."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(call)


def kernel_jobs() -> Jobs:
    """Jobs for the running kernel; direct ones where there is no loop."""
    try:
        return LoopJobs(asyncio.get_running_loop())
    except RuntimeError:
        return DirectJobs()
