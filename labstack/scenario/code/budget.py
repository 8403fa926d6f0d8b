# SPDX-License-Identifier: GPL-2.0-or-later
"""What an interpreted program may take: steps, and sizes of values. Every value is charged for before it is made.

One step stands for about a hundred bytes or a microsecond at most, so a budget bounds memory as well as time. Values
are weighed as trees, so that a list which has one twice, over and over, costs what printing it would.
"""

from typing import NoReturn

BLOCK = 100_000  # steps of one block
LONGEST = 65_536  # characters of a string, elements of a list
BITS = 4096  # of an int
DEEPEST = 50  # containers within containers
WIDEST = 200  # characters that a format may pad to


class StopError(Exception):
    """A program cannot go on; kind as in verdict.Failure."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(kind, why)
        self.kind, self.why = kind, why


def refuse(what: str) -> NoReturn:
    """Stop because of something that is not interpreted."""
    raise StopError("refused", f"{what} is not among what a code block may use")


class Budget:
    """Steps that are left."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def charge(self, steps: int) -> None:
        """Take steps; StopError "endless" if there are not so many."""
        self.left -= steps
        if self.left < 0:
            self.left = 0
            raise StopError("endless", "it takes too long: it was stopped after the steps that a code block may take")

    def weigh(self, *values: object) -> None:
        """Charge for values as if they were copied."""
        stack = [(value, 0) for value in values]
        while stack:
            value, depth = stack.pop()
            if isinstance(value, int):
                self.charge(1 + value.bit_length() // 64)
            elif isinstance(value, str):
                self.charge(1 + len(value) // 16)
            elif isinstance(value, list | tuple):
                self.charge(1 + len(value))
                if depth > DEEPEST:
                    raise StopError("code", f"values are nested deeper than {DEEPEST}")
                stack += [(item, depth + 1) for item in value]
            else:
                self.charge(1)

    def length(self, count: int) -> None:
        """Charge for a string or list of that length."""
        if count > LONGEST:
            raise StopError("code", f"a value would have {count if count < 1 << 64 else 'very many'} elements")
        self.charge(1 + max(count, 0) // 8)


def bits(count: int) -> None:
    """StopError if an int would have so many bits."""
    if count > BITS:
        raise StopError("code", f"a number would have more than {BITS} bits")
