"""`python -I -S stopwatch.py RESULT STDOUT STDERR COMMAND…`: runs a command, and writes down what it cost.

A process of its own because a program begins with the peak memory of whoever starts it, and this one is small: it
imports next to nothing. RESULT gets, as JSON: status, wall_s, cpu_s (user and system, all children included), rss_kib
(of the largest process).
"""

from __future__ import annotations

import os
import sys
import time


def main(result: str, stdout: str, stderr: str, *command: str) -> None:
    """Run the command; its streams go to files, so that nobody else's work is on its way."""
    write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, stdout, write, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, stderr, write, 0o600),
    ]
    start = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=files)
    _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    code = os.waitstatus_to_exitcode(status)
    # macOS counts in bytes, Linux in KiB.
    rss = used.ru_maxrss // 1024 if sys.platform == "darwin" else used.ru_maxrss
    with open(result, "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib would double this process's memory
        file.write(
            f'{{"status": {code}, "wall_s": {wall}, "cpu_s": {used.ru_utime + used.ru_stime}, "rss_kib": {rss}}}\n'
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
