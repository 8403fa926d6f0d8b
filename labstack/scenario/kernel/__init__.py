# SPDX-License-Identifier: GPL-2.0-or-later
"""The Linux kernel as a target: real system calls and real packets, in a network namespace of our own.

`target` is what others use. It has a `nursery` (one per process), which has a child for each target: `nurse` starts
it, `furnish` gives it a network, `worker` makes its calls with `libc` and `layout`. `wire` has the packets.
"""
