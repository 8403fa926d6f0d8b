# SPDX-License-Identifier: GPL-2.0-or-later
"""FailedError: how a failure of a script gets from where it is seen to whoever plays the script."""

from labstack.scenario.verdict import Failure


class FailedError(Exception):
    """The script goes no further."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.place}: {failure.why}")
        self.failure = failure
