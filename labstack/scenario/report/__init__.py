# SPDX-License-Identifier: GPL-2.0-or-later
"""What became of scenarios: failures that explain themselves, divergences, requirements."""
