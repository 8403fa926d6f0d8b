# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m labstack` is the `labstack` command."""

from labstack.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
