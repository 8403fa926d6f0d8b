# SPDX-License-Identifier: GPL-2.0-or-later
"""The vocabulary every floor speaks: state, frames, events and actions, timers, rules, counters, configuration."""
