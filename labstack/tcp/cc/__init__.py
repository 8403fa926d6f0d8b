# SPDX-License-Identifier: GPL-2.0-or-later
"""Congestion controllers. A controller sees numbers, never the connection: writing one is 30 lines for a student."""
