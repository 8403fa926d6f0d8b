# SPDX-License-Identifier: GPL-2.0-or-later
"""From what happened to a scenario that passes."""
