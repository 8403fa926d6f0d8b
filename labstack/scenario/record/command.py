# SPDX-License-Identifier: GPL-2.0-or-later
"""`labstack record`, once the command line was read. Exit status 0: a scenario was made, whether or not our stack does
in every line what was recorded (stderr tells); 2: there is nothing in the file that can be told."""

import sys
from argparse import Namespace

from labstack.scenario.command import show
from labstack.scenario.record.record import of_capture


def run(args: Namespace) -> int:
    """Make a scenario of a capture. Raises LabError for a file without any that can be told."""
    made = of_capture(args.capture, args.host or "")
    if args.output:
        print(f"labstack: {made.save(args.output).saved}", file=sys.stderr)
    else:
        show(made)
    if made.differs:
        lines = f"{made.differs} place{'s' * (made.differs != 1)}"
        print(
            f"labstack: in {lines} our stack does otherwise than what was recorded; comments say how", file=sys.stderr
        )
    return 0
