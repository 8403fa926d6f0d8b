# SPDX-License-Identifier: GPL-2.0-or-later
"""How a Python scenario ends before its end: the target does otherwise than it says, or it says what cannot be."""

from labstack.scenario.verdict import Field


class Parted(Exception):  # noqa: N818 (it is the target's doing)
    """The target did not do what the scenario says; kind, why, fields as in verdict.Failure; at: ns of the target."""

    def __init__(self, kind: str, why: str, fields: tuple[Field, ...] = (), at: int = 0) -> None:
        super().__init__(why)
        self.kind, self.why, self.fields, self.at = kind, why, fields, at


class PlayError(ValueError):
    """The scenario asks for what cannot be; str() says what was given and what is expected."""
