# SPDX-License-Identifier: GPL-2.0-or-later
"""Code blocks: a small, bounded Python that sees only its own names."""
