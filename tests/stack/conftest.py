# SPDX-License-Identifier: GPL-2.0-or-later
"""The scripts of tests/tcp serve here, too; what Hypothesis tries is the same in every run."""

import sys
from pathlib import Path

from hypothesis import settings

settings.register_profile("fixed", derandomize=True)
settings.load_profile("fixed")
sys.path.append(str(Path(__file__).parent.parent / "tcp"))
