"""How fast the API answers, and how hard it may be asked."""

from __future__ import annotations

import math
import re
import statistics
import time
from typing import TYPE_CHECKING, Any

from tap_storage.probe.findings import Finding, quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_storage.probe.asking import Answer
    from tap_storage.probe.interview import Interview

LIMITED = re.compile(r"(x-)?rate-?limit.*|retry-after", re.IGNORECASE)
MOST = 8
DEFAULT = 4
SLOW_S = 0.5
A_DAY = 86_400
SINCE_1970 = 10**9


def pace(interview: Interview) -> Iterator[Finding]:
    """Say how long answers take, which limit their headers tell, and how many pages may be in flight."""
    answers = interview.asker.answers
    seconds = statistics.median(answer.seconds for answer in answers)
    yield Finding("latency", round(seconds, 3), f"the median of {len(answers)} answers, in seconds")
    refused = sum(answer.status == 429 for answer in answers)  # noqa: PLR2004 (too many requests)
    told = {name: quote(v) for answer in answers for name, v in answer.headers.items() if LIMITED.fullmatch(name)}
    rate = next((found for answer in reversed(answers) if (found := _rate(answer)) is not None), None)
    own = interview.believed.get("requests_per_second")
    settings: dict[str, Any] = {}
    if told or refused:
        words = ", ".join(f"{name}: {value}" for name, value in told.items()) or f"{refused} answers with 429"
        doubt = "" if rate else "what it allows in which time cannot be told; see the vendor's documentation"
        settings = {"requests_per_second": rate} if rate and not own else {}
        yield Finding("rate_limit", rate, words, doubt, settings)
    else:
        yield Finding("rate_limit", None, "no header tells of one", "there may be one all the same")
    wanted = 1 if refused and not rate else MOST if seconds > SLOW_S else DEFAULT
    if rate or own:
        wanted = max(1, min(wanted, math.ceil((rate or own or 1) * seconds)))
    chosen = interview.believed["concurrency"] if "concurrency" in interview.explicit else wanted
    words = f"answers take {seconds:.2f} s" + (f", at most {rate or own:g} a second" if rate or own else "")
    yield Finding("concurrency", chosen, words, settings={"concurrency": chosen})


def _rate(answer: Answer) -> float | None:
    """Return the requests per second that an answer's headers allow in the long run, None where they do not tell."""
    headers = {
        name.lower().replace("x-", "").replace("ratelimit", "rate-limit"): v for name, v in answer.headers.items()
    }
    policy = headers.get("rate-limit-policy", "") or headers.get("rate-limit", "")
    quota = re.search(r"(?:\bq=|^\s*)(\d+)", policy)
    window = re.search(r"\bw=(\d+)", policy)
    if quota and window and int(window[1]):
        return _rounded(int(quota[1]) / int(window[1]))
    reset, limit = _number(headers, "rate-limit-reset"), _number(headers, "rate-limit-limit")
    if reset is None or limit is None:
        return None
    if reset > SINCE_1970:
        reset -= time.time()
    left = _number(headers, "rate-limit-remaining")
    # The window is at least as long as what is left of it, so this is no more than the API allows.
    return _rounded((limit if left is None else left) / max(1, reset)) if 0 < reset <= A_DAY else None


def _number(headers: Mapping[str, str], name: str) -> float | None:
    found = re.match(r"\s*(\d+)", headers.get(name, ""))
    return float(found[1]) if found else None


def _rounded(rate: float) -> float | None:
    return float(f"{rate:.2g}") if rate > 0 else None
