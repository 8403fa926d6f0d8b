# SPDX-License-Identifier: GPL-2.0-or-later
"""Fuzzing in virtual time: a seed draws hosts, wires and applications, and a judge looks at every event.

plan.py draws, app.py behaves, stranger.py attacks, judge.py judges, trial.py plays one seed,
outcome.py says what became of it, command.py plays many.
"""
