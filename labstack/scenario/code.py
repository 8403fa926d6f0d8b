# SPDX-License-Identifier: GPL-2.0-or-later
"""Code blocks: Python in `%{ }%`, interpreted with a whitelist and budgets, or really run where that is allowed.

blocks = Blocks()
blocks.run(event.action, event.place, target.info(fd))  # "" or what it printed; raises CodeError
"""

from collections.abc import Mapping

from labstack.packetdrill.script import Code, Place


class CodeError(Exception):
    """A block failed. kind: as in verdict.Failure: "code" (an assertion, an error), "refused", "endless".

    place: the line of the script; why: one sentence, "tcpi_snd_cwnd == 10, but tcpi_snd_cwnd is 12".
    """

    def __init__(self, kind: str, place: Place, why: str) -> None:
        super().__init__(f"{place}: {why}")
        self.kind, self.place, self.why = kind, place, why


class Blocks:
    """The blocks of one script: they share their names."""

    def __init__(self, allow: bool = False) -> None:
        """allow: run them as real Python, which may do anything."""
        raise NotImplementedError

    def run(self, code: Code, place: Place, info: Mapping[str, int]) -> str:
        """Run a block whose names are those before it, the constants of tcp_info, and `info` (Target.info).

        place: of its event. Returns what it printed. Raises CodeError.
        """
        raise NotImplementedError
