# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenarios disturbed by a seed, judged by the stack's invariants, shrunk to the smallest script."""
