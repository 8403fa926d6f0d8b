# SPDX-License-Identifier: GPL-2.0-or-later
"""The scripts of tests/tcp serve here, too."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "tcp"))
