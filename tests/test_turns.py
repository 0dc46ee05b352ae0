"""Turns at running Python: a courtesy that saves time, and never costs a run."""

from __future__ import annotations

import threading
import time

from tap_storage.turns import MOMENT_S, Turns

PATIENCE_S = 30


def test_a_turn_is_one_threads_until_it_waits() -> None:
    """Threads would fight over the interpreter as before."""
    turns = Turns()
    turns.take()
    turns.take()
    taken = []

    def take() -> None:
        turns.take()
        taken.append(threading.get_ident())
        turns.give_up()

    other = threading.Thread(target=take)
    other.start()
    with turns.given_up():
        other.join(PATIENCE_S)
    assert len(taken) == 1
    turns.give_up()
    turns.give_up()


def test_a_turn_that_is_not_given_up_is_not_waited_for() -> None:
    """A connection that hangs would hang the run."""
    turns = Turns()
    turns.take()
    waited = []

    def wait() -> None:
        start = time.monotonic()
        turns.take()
        waited.append(time.monotonic() - start)
        turns.give_up()

    for _ in range(2):
        other = threading.Thread(target=wait)
        other.start()
        other.join(PATIENCE_S)
    assert len(waited) == 2
    assert min(waited) >= MOMENT_S
