# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenarios in Python: the host under test, the peer, patterns, silence."""
