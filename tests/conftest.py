# SPDX-License-Identifier: GPL-2.0-or-later
"""What Hypothesis tries is the same in every run; `--hypothesis-profile=default` lets it look elsewhere."""

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")
