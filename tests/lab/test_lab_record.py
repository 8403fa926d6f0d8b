# SPDX-License-Identifier: GPL-2.0-or-later
"""`lab.record()`: what happened in a lab becomes a scenario that passes, from either end, and the verb for it."""

from pathlib import Path

import pytest

from labstack.lab import verbs
from labstack.lab.errors import LabError
from labstack.lab.lab import Lab
from labstack.scenario import collect


def talk(six: bool = False) -> Lab:
    """A request, an answer in several segments, an orderly close."""
    lab = Lab()
    listener = lab.h2.listen(80)
    client = lab.h1.connect("fd00::2" if six else "10.0.0.2", 80)
    lab.run()
    server = listener.accept()
    client.send("hello")
    lab.run()
    server.recv()
    server.send(b"x" * 5000)
    lab.run()
    client.recv()
    client.close()
    lab.run()
    server.recv()
    server.close()
    lab.run()
    return lab


@pytest.mark.parametrize("host", ["h1", "h2"])
@pytest.mark.parametrize("six", [False, True])
def test_either_end_of_a_conversation_passes_as_it_was(host: str, six: bool, tmp_path: Path) -> None:
    path = tmp_path / "talk.pkt"
    talk(six).record(path, host)
    outcome = collect.run(str(path), ip="ipv6" if six else "ipv4")
    assert (outcome.verdict, outcome.reason) == ("pass", "")
    assert "// recorded" not in path.read_text()


def test_the_server_is_told_unless_another_host_is_named() -> None:
    lab = talk()
    assert "listen(" in lab.record().text()
    assert "connect(" in lab.record(host="h1").text()
    assert lab.record(host=lab.h1).text() == lab.record(host="h1").text()


def test_only_the_past_is_told() -> None:
    lab = talk()
    whole = lab.record().text()
    lab.back(8)
    assert len(lab.record().text()) < len(whole)
    lab.step(8)
    assert lab.record().text() == whole


def test_a_saved_recording_says_how_to_run_it(tmp_path: Path) -> None:
    shown = talk().record(tmp_path / "talk.pkt").text()
    assert shown == f"saved; labstack run {tmp_path / 'talk.pkt'}"


def test_what_cannot_be_recorded_is_told() -> None:
    with pytest.raises(LabError, match="nothing has happened"):
        Lab().record()
    lab = talk()
    with pytest.raises(LabError, match="no host 'h9'"):
        lab.record(host="h9")
    with pytest.raises(LabError, match="cannot write"):
        lab.record("/no/such/place.pkt")


@pytest.mark.parametrize(
    ("typed", "args"),
    [("", {}), ("run.pkt", {"path": "run.pkt"}), ("h2", {"host": "h2"}), ("x/y h1", {"path": "x/y", "host": "h1"})],
)
def test_the_verb_takes_a_file_and_a_host(typed: str, args: dict[str, str]) -> None:
    assert verbs.BY_WORD["record"].read(typed, {}) == args
    with pytest.raises(LabError):
        verbs.BY_WORD["record"].read("a.pkt b.pkt", {})
