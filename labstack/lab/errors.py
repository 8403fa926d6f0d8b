# SPDX-License-Identifier: GPL-2.0-or-later
"""LabError: the person at the prompt asked for something that cannot be; the message says what, and what to do."""


class LabError(ValueError):
    """A wrong use of the lab. At the prompt it is shown as one line."""
