# SPDX-License-Identifier: GPL-2.0-or-later
"""Measurements: each module has `run(rounds)`, which returns rows of figures."""
