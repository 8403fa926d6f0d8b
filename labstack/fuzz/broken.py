# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run ends with when a promise is not kept."""


class BrokenError(AssertionError):
    """Something that must hold does not."""
