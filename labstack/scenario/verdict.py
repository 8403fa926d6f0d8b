# SPDX-License-Identifier: GPL-2.0-or-later
"""What became of a scenario: runners make Failures, collect makes Outcomes, and reports read them."""

from typing import NamedTuple

from labstack.lab.view import Line
from labstack.packetdrill.script import Place

PASS, FAIL, XFAIL, XPASS, REFUSED, SKIP, ERROR = "pass", "fail", "xfail", "xpass", "refused", "skip", "error"
VERDICTS = (PASS, FAIL, XFAIL, XPASS, REFUSED, SKIP, ERROR)
BAD = (FAIL, XPASS, REFUSED, ERROR)  # what makes a run a failed one


ANYTHING = "*"


class Field(NamedTuple):
    """One row of the table side by side; "" is nothing, expected ANYTHING was not asked for; enough: it will do,
    whatever the texts say (an ecr, a timestamp within its tolerance)."""

    name: str
    expected: str
    actual: str
    enough: bool = False

    @property
    def differs(self) -> bool:
        return not self.enough and self.expected not in (ANYTHING, self.actual)


class Failure(NamedTuple):
    """Where a scenario and its target parted.

    kind: "packet" (it differs), "missing", "early", "late" (time), "result", "errno", "data", "code", "shell",
    "refused" (says what we do not do), "endless", "silence" (something came), "crash" (of ours). why: one sentence.
    at: ns on the target's clock. event: index in Script.events, or the step of a Python scenario.
    """

    place: Place
    kind: str
    why: str
    fields: tuple[Field, ...] = ()
    at: int = 0
    event: int = 0


class FailedError(Exception):
    """How a failure gets from where it is seen to whoever plays the scenario: it goes no further."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.place}: {failure.why}")
        self.failure = failure


class Parted(Exception):  # noqa: N818 (it is the target's doing)
    """The target did not do what the scenario says; kind, why, fields as in verdict.Failure; at: ns of the target."""

    def __init__(self, kind: str, why: str, fields: tuple[Field, ...] = (), at: int = 0) -> None:
        super().__init__(why)
        self.kind, self.why, self.fields, self.at = kind, why, fields, at


class PlayError(ValueError):
    """The scenario asks for what cannot be; str() says what was given and what is expected."""


class Evidence(NamedTuple):
    """What there was at the instant of a failure, ready to be shown and to be sent between processes.

    ladder: the frames up to then, with the rules; state: sockets, variables, timers; pcapng: the frames as a capture
    n: which event of the lab's history it was, 0 if there is no history to go to
    """

    ladder: tuple[Line, ...] = ()
    state: tuple[Line, ...] = ()
    pcapng: bytes = b""
    n: int = 0


class Passed(NamedTuple):
    """A packet that went by: inbound, towards the host, or from it."""

    at: int
    inbound: bool
    data: bytes


class Outcome(NamedTuple):
    """One scenario on one target in one family.

    file: its path; a Python scenario's name follows after "::"

    verdict: "pass", "fail", "xfail" (failed as expected), "xpass" (passed against expectation: counts as a failure),
    "refused" (says what we do not do), "skip" (does not apply here), "error" (cannot be read, or we crashed).
    line: where it failed, 0 if it did not. rules: ids of the rules of our stack that were reached.
    covers: ids of the requirements that it tests. evidence: of a failure. passed: all packets, on this kind of link,
    where two targets are to be compared. held_up: ns for which the machine had no time for a target in real time.
    """

    file: str
    target: str
    ip: str
    verdict: str
    reason: str = ""
    line: int = 0
    ms: float = 0.0
    failure: Failure | None = None
    rules: frozenset[str] = frozenset()
    covers: tuple[str, ...] = ()
    evidence: Evidence | None = None
    passed: tuple[Passed, ...] = ()
    link: str = "ip"
    held_up: int = 0

    @property
    def bad(self) -> bool:
        """Is it one that makes the run a failed one?"""
        return self.verdict in BAD
