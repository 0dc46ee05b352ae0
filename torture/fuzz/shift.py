"""All cases of a run, handed out to processes in pieces; one that hangs or dies is a defect of the case it was at."""

from __future__ import annotations

import collections
import json
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from demo.text_table import text_table
from torture.fuzz.bodies import STREAMS
from torture.fuzz.work import ROUND

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 2
PIECE = 1300
"""Cases of one process."""
PATIENCE_S = 150
"""Without an outcome: longer than a case takes here and by the command together."""
KINDS = {"body": "bodies", "headers": "heads", "state": "states", "catalog": "catalogs", "config": "configs"}
SHOWN = 5
TOLD_EVERY = 2500
BODIES_OF_ROUND = 16 * STREAMS + 4


class Shift:
    """Runs the cases of a seed until there were so many hostile bodies, or so many minutes."""

    def __init__(self, seed: int, *, bodies: int, minutes: float) -> None:
        self._seed = seed
        self._end = time.monotonic() + minutes * 60
        self._pieces: queue.Queue[tuple[int, int]] = queue.Queue()
        self.wanted = -(-bodies // BODIES_OF_ROUND) * len(ROUND)
        for begin in range(0, self.wanted, PIECE):
            self._pieces.put((begin, min(begin + PIECE, self.wanted)))
        self.counts: collections.Counter[tuple[str, str]] = collections.Counter()
        self.said: collections.Counter[str] = collections.Counter()
        self.defects: dict[str, list[int]] = {}
        self.slowest = (0.0, 0)
        self._lock = threading.Lock()

    @property
    def whole(self) -> bool:
        """Whether all cases were run."""
        return self.counts["all", "cases"] >= self.wanted

    def run(self) -> None:
        """Run the cases, in as many processes as there may be."""
        threads = [threading.Thread(target=self._hand_out) for _ in range(WORKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _hand_out(self) -> None:
        while time.monotonic() < self._end:
            try:
                begin, end = self._pieces.get_nowait()
            except queue.Empty:
                return
            while begin < end and time.monotonic() < self._end:
                reached = self._work(begin, end)
                if reached < end and time.monotonic() < self._end:
                    self.take({"number": reached, "kind": "", "faults": ["the process hung or died"]})
                begin = reached + 1

    def _work(self, begin: int, end: int) -> int:
        """Let a process run these cases; return the first of which it did not tell."""
        command = [sys.executable, "-m", "torture.fuzz", f"--seed={self._seed}", f"--from={begin}", f"--to={end}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True)
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=_listen, args=(process, lines), daemon=True).start()
        reached = begin
        try:
            while line := lines.get(timeout=min(PATIENCE_S, max(1.0, self._end - time.monotonic()))):
                outcome = json.loads(line)
                self.take(outcome)
                reached = outcome["number"] + 1
        except queue.Empty:
            pass
        finally:
            process.kill()
            process.wait()
        return reached

    def take(self, outcome: dict[str, Any]) -> None:
        """Count what a case came to."""
        with self._lock:
            kind = outcome["kind"]
            self.counts["all", "cases"] += 1
            self.counts[kind, "cases"] += 1
            self.counts[kind, "records"] += outcome.get("read", 0)
            self.counts[kind, "error"] += outcome.get("hostile", 1) - outcome.get("read", 0)
            self.counts[kind, "hostile"] += outcome.get("hostile", 1)
            self.counts[kind, "almost valid"] += outcome.get("almost", 0)
            self.counts[kind, "by the command"] += outcome.get("repeated", False)
            self.counts[kind, "defects"] += bool(outcome["faults"])
            self.said[outcome.get("said", "")] += 1
            self.slowest = max(self.slowest, (outcome.get("seconds", 0.0), outcome["number"]))
            for fault in outcome["faults"]:
                seen = self.defects.setdefault(fault, [])
                seen.append(outcome["number"])
                if len(seen) <= SHOWN:
                    print(f"{fault}: python -m torture.fuzz --seed {self._seed} --only {outcome['number']}", flush=True)
            if self.counts["all", "cases"] % TOLD_EVERY == 0:
                print(f"{self.counts['all', 'cases']} of {self.wanted} cases", flush=True)

    def table(self) -> str:
        """Return what the cases came to, for a person."""
        columns = ["hostile", "almost valid", "cases", "records", "error", "by the command", "defects"]
        names = {**KINDS, "": "unknown"}
        rows = [
            [names[kind], *(str(self.counts[kind, column]) for column in columns)]
            for kind in names
            if self.counts[kind, "cases"]
        ]
        heads = [
            "hostile",
            "number",
            "almost valid",
            "runs",
            "ended in records",
            "in an error",
            "repeated by command",
            "defects",
        ]
        lines = [text_table(heads, rows)]
        lines += [f"{fault}: {len(seen)} cases, such as {seen[:SHOWN]}" for fault, seen in self.defects.items()]
        seconds, number = self.slowest
        lines.append(f"{len(self.said) - 1} different errors. The slowest run took {seconds:.1f} s (case {number}).")
        return "\n".join(lines)


def _listen(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    """Take down what a process says; the last line is empty."""
    for line in process.stdout or ():
        lines.put(line)
    lines.put("")
