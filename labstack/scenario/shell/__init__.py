# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual shell: what scripts give to sh, interpreted on the scenario's own host and never run."""
