# SPDX-License-Identifier: GPL-2.0-or-later
"""The system calls of a host of ours return what Linux's return: transcripts of the kernel, played on both."""

from pathlib import Path

import pytest
from linux_calls import Linux
from transcript import Ours, Transcript, play, read

FILES = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))
ALL = [pytest.param(it, id=f"{path.stem}: {it.title}") for path in FILES for it in read(path)]


@pytest.mark.parametrize("transcript", ALL)
def test_our_calls_return_what_the_kernel_returned(transcript: Transcript) -> None:
    assert play(Ours(), transcript) == list(transcript.lines)


@pytest.mark.live
@pytest.mark.parametrize("transcript", ALL)
def test_the_kernel_still_says_so(transcript: Transcript) -> None:
    try:
        linux = Linux()
    except OSError as why:
        pytest.skip(f"no kernel to ask: {why}")
    try:
        assert play(linux, transcript) == list(transcript.lines)
    finally:
        linux.close()
