# SPDX-License-Identifier: GPL-2.0-or-later
"""Our own scenarios are tests, also where the package is not installed: labstack/scenario/plugin.py collects them."""

pytest_plugins = ["labstack.scenario.plugin"]
