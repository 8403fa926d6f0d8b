# SPDX-License-Identifier: GPL-2.0-or-later
"""Outcomes of many scenarios: for people a summary, for programs JSON, for harnesses the Test Anything Protocol."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from labstack.lab.view import Line, Span, View
from labstack.scenario.report.failure import Report, headline, save
from labstack.scenario.verdict import BAD, PASS, SKIP, VERDICTS, XFAIL, Outcome

WHOLE = 3  # failures up to so many are shown whole, more with one line each


def rows(outcomes: Iterable[Outcome]) -> list[dict[str, object]]:
    """What a program wants to know: file, target, ip, verdict, reason, line, ms."""
    return [
        {"file": o.file, "target": o.target, "ip": o.ip, "verdict": o.verdict, "reason": o.reason, "line": o.line,
         "ms": round(o.ms, 3)}
        for o in outcomes
    ]  # fmt: skip


def to_json(outcomes: Iterable[Outcome]) -> str:
    """A list of rows()."""
    return json.dumps(rows(outcomes), indent=1, ensure_ascii=False)


def tap_plan(count: int) -> str:
    """How TAP 13 begins: its version, and how many tests there will be."""
    return f"TAP version 13\n1..{count}"


def tap(number: int, outcome: Outcome) -> str:
    """The lines of one test; an expected failure is a TODO, what does not apply a SKIP."""
    ok = "not ok" if outcome.bad or outcome.verdict == XFAIL else "ok"
    reason = " ".join(outcome.reason.split()).replace("#", "\\#")
    mark = {XFAIL: f" # TODO {reason}", SKIP: f" # SKIP {reason}"}.get(outcome.verdict, "")
    line = f"{ok} {number} - {outcome.file} {outcome.target} {outcome.ip}{mark.rstrip()}"
    if not outcome.bad:
        return line
    about = {"verdict": outcome.verdict, "message": reason, "line": outcome.line, "ms": round(outcome.ms, 3)}
    block = [f"  {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in about.items()]
    return "\n".join([line, "  ---", *block, "  ..."])


class Summary(View):
    """How many of which verdict, and a line for each outcome that is not as expected; with `every`, for each."""

    def __init__(self, outcomes: Sequence[Outcome], planned: int, seconds: float, every: bool = False) -> None:
        self.outcomes = outcomes
        self.planned = planned
        self.seconds = seconds
        self.every = every

    def lines(self, width: int) -> Iterable[Line]:
        bad = [o for o in self.outcomes if o.bad]
        for outcome in self.outcomes if self.every else bad:
            yield headline(outcome)
        if not self.every and len(_told(bad)) > WHOLE:
            yield [Span("(one of them alone, or -v, shows the whole story)", "dim")]
        yield from self._reasons()
        yield self._counts()

    def _reasons(self) -> Iterator[Line]:
        """Why scenarios were skipped, failed as expected or passed late, once each; and what many failures share."""
        for verdict in (*BAD, PASS, XFAIL, SKIP):
            reasons = Counter(" ".join(o.reason.split()) for o in self.outcomes if o.verdict == verdict and o.reason)
            for reason, n in reasons.most_common():
                if verdict not in BAD or n > WHOLE:
                    yield [Span(f"  {verdict:<7} {n:>4}  ", "dim"), Span(reason)]

    def _counts(self) -> Line:
        counts = Counter(o.verdict for o in self.outcomes)
        line: Line = []
        for verdict in VERDICTS:
            if counts[verdict]:
                style = "bad" if verdict in BAD else "state" if verdict == PASS else "mark"
                line += [Span(", " if line else ""), Span(f"{counts[verdict]} {verdict}", style)]
        left = self.planned - len(self.outcomes)
        line += [Span(f", {left} not run", "bad")] if left else []
        return [*(line or [Span("nothing was run")]), Span(f" in {self.seconds:.2f} s", "dim")]


def stories(outcomes: Sequence[Outcome], every: bool = False) -> Iterator[View]:
    """The whole story of each failure, if there are few or `every` is wanted; their packets are saved."""
    told = _told(outcomes)
    if every or len(told) <= WHOLE:
        for outcome in told:
            yield Report(outcome, save(outcome))


def _told(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Those that have a story."""
    return [o for o in outcomes if o.bad and o.failure is not None]


def status(outcomes: Iterable[Outcome]) -> int:
    """The exit status: 0 if all went as expected, else 1."""
    return int(any(outcome.bad for outcome in outcomes))
