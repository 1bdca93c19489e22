"""Something that is done again and again beside a test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def again_and_again(do: Callable[[], object], every: float, *expected: type[Exception]) -> Iterator[list[str]]:
    """Do it every so many seconds until the block ends; yield what the expected errors said."""
    errors: list[str] = []
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(every):
            try:
                do()
            except expected as error:
                errors.append(str(error))

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield errors
    finally:
        stop.set()
        thread.join()
