"""Running other programs: captured, or with a visible progress line."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


class BringUpError(Exception):
    """Something the user has to know; the message is a sentence to act on."""


class CommandError(BringUpError):
    """A program exited with another status than 0; carries the end of what it said."""

    def __init__(self, command: Sequence[str], status: int, output: str) -> None:
        tail = "\n".join(output.strip().splitlines()[-25:])
        super().__init__(f"`{' '.join(command)[:300]}` exited with status {status}:\n{tail}")
        self.status = status
        self.output = output


def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    timeout: float | None = None,
) -> str:
    """Run a program to its end and return its standard output, stripped.

    Args:
        command: program and arguments.
        env: added to this process's environment.
        cwd: directory to run in.
        stdin: text fed to the program.
        timeout: seconds, after which the program is killed and counts as failed.

    Raises:
        CommandError: it failed, was not found, or took longer than ``timeout``.

    """
    try:
        done = subprocess.run(
            list(command),
            env={**os.environ, **(env or {})},
            cwd=cwd,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            timeout=timeout,
            capture_output=True,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CommandError(command, 124, f"no answer within {timeout} s") from None
    except FileNotFoundError:
        raise CommandError(command, 127, f"{command[0]} is not installed") from None
    if done.returncode != 0:
        raise CommandError(command, done.returncode, done.stdout + done.stderr)
    return done.stdout.strip()


def succeeds(command: Sequence[str], *, env: Mapping[str, str] | None = None, timeout: float = 20) -> bool:
    """Whether a program exits with status 0 within ``timeout`` seconds."""
    try:
        run(command, env=env, timeout=timeout)
    except CommandError:
        return False
    return True


@contextmanager
def step(text: str) -> Iterator[None]:
    """Show ``text`` with the elapsed seconds while the body runs: in place on a terminal, else every 20 s."""
    started = time.monotonic()
    finished = threading.Event()
    terminal = sys.stderr.isatty()

    def elapsed() -> int:
        return round(time.monotonic() - started)

    def tick() -> None:
        while not finished.wait(1 if terminal else 20):
            sys.stderr.write(f"\r  … {text} {elapsed()} s" if terminal else f"  … {text} {elapsed()} s\n")
            sys.stderr.flush()

    if not terminal:
        sys.stderr.write(f"  … {text}\n")
    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    outcome = "✗"
    try:
        yield
        outcome = "✓"
    finally:
        finished.set()
        ticker.join()
        sys.stderr.write(f"{chr(13) if terminal else ''}  {outcome} {text} ({elapsed()} s)\n")
        sys.stderr.flush()


def say(text: str) -> None:
    """Print one line about what happens, on standard error: standard output belongs to ``env``."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
