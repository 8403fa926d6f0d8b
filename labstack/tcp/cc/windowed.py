# SPDX-License-Identifier: GPL-2.0-or-later
"""The greatest, or the least, of what was measured in a window of time, from three samples only (Kathleen Nichols).

A window is remembered by its best sample, the best one since that, and the best one since that one; when the first gets
too old the next follows. Not exact, but of constant size, and what Linux does (lib/win_minmax.c).
"""

Best = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]  # (time, value) three times, best first


def only(time: int, value: int) -> Best:
    """What is known after one sample."""
    first = (time, value)
    return first, first, first


def highest(best: Best, window: int, time: int, value: int) -> Best:
    """With one sample more; best[0][1] is the greatest value in the window."""
    first, second, third = best
    new = (time, value)
    if value >= first[1] or time - third[0] > window:
        return new, new, new
    if value >= second[1]:
        second = third = new
    elif value >= third[1]:
        third = new
    return _aged(first, second, third, window, new)


def lowest(best: Best, window: int, time: int, value: int) -> Best:
    """With one sample more; best[0][1] is the least value in the window."""
    first, second, third = best
    new = (time, value)
    if value <= first[1] or time - third[0] > window:
        return new, new, new
    if value <= second[1]:
        second = third = new
    elif value <= third[1]:
        third = new
    return _aged(first, second, third, window, new)


def _aged(
    first: tuple[int, int], second: tuple[int, int], third: tuple[int, int], window: int, new: tuple[int, int]
) -> Best:
    """Let go of what is too old, and make sure that the three are spread over the window."""
    age = new[0] - first[0]
    if age > window:
        first, second, third = second, third, new
        if new[0] - first[0] > window:
            first, second, third = second, third, new
    elif second[0] == first[0] and age > window // 4:
        second = third = new
    elif third[0] == second[0] and age > window // 2:
        third = new
    return first, second, third
