# SPDX-License-Identifier: GPL-2.0-or-later
"""A failure shown: the script's line, fields side by side, the ladder, the state, the packets, the way there."""

import pickle
from pathlib import Path

import pytest

from labstack.core.event import Call
from labstack.packetdrill.script import Place, ScriptError
from labstack.scenario import kinds
from labstack.scenario.calls import Calls
from labstack.scenario.report import evidence, failure
from labstack.scenario.report.watch import Watch
from labstack.scenario.settings import Settings
from labstack.scenario.target import Packet, Result
from labstack.scenario.verdict import Evidence, Failure, Field, Outcome
from layers import IP, TCP, pcapng

SCRIPT = "".join(f"+{n} line {n}\n" for n in range(1, 8))
FIELDS = (
    Field("flags", "S.", "S."),
    Field("ack", "1", "2"),
    Field("win", "*", "65535"),
    Field("options", "mss 1460", ""),
)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "close.pkt"
    path.write_text(SCRIPT)
    return str(path)


def failed(file: str, line: int = 4, **more: object) -> Outcome:
    found = Failure(Place(file, line, 4), "packet", "the ack differs: expected 1, got 2", FIELDS, at=1_500_000)
    return Outcome(file, "lab", "ipv6", "fail", found.why, line, failure=found)._replace(**more)


def test_the_line_is_shown_among_its_neighbours_with_a_caret_below_it(file: str) -> None:
    lines = failure.Report(failed(file)).text().splitlines()
    assert lines[1:4] == ["      2 │ +2 line 2", "      3 │ +3 line 3", "  ▸   4 │ +4 line 4"]
    assert lines[4] == "        │    ^ the ack differs: expected 1, got 2  at 1.500 ms"
    assert lines[5:7] == ["      5 │ +5 line 5", "      6 │ +6 line 6"]


@pytest.mark.parametrize("line", [1, 7])
def test_the_first_and_the_last_line_have_fewer_neighbours(file: str, line: int) -> None:
    shown = failure.Report(failed(file, line)).text()
    assert f"▸{line:>4} │ +{line} line {line}" in shown
    assert "+0" not in shown
    assert "   8 │" not in shown


def test_lines_are_counted_as_the_parser_does(tmp_path: Path) -> None:
    """A form feed and Unicode's line separators end no line, and a byte order mark is no character of the first."""
    file = tmp_path / "odd.pkt"
    file.write_text("\ufeff// a\x0cb\u2028c\x85d\n0 wrong\n", encoding="utf-8")
    with pytest.raises(ScriptError) as caught:
        kinds.read(str(file), Settings())
    shown = failure.Report(failed(str(file), caught.value.place.line)).text()
    assert "▸   2 │ 0 wrong" in shown
    assert "   1 │ // a" in shown


def test_a_script_that_is_gone_leaves_the_rest_to_be_told(tmp_path: Path) -> None:
    shown = failure.Report(failed(str(tmp_path / "gone.pkt"))).text()
    assert "│" not in shown
    assert "expected" in shown


def test_fields_stand_side_by_side_and_those_that_differ_are_marked(file: str) -> None:
    rows = [line for line in failure.Report(failed(file)).text().splitlines() if line.startswith(("    ≠", "      "))]
    told = [row.split() for row in rows if "│" not in row]
    assert told == [
        ["field", "expected", "actual"],
        ["flags", "S.", "S."],
        ["≠", "ack", "1", "2"],
        ["win", "(any)", "65535"],
        ["≠", "options", "mss", "1460", "-"],
    ]


def test_html_says_the_same_and_takes_script_text_for_text(tmp_path: Path) -> None:
    (tmp_path / "x.pkt").write_text("+0 < S <mss 1000> & `<script>`\n")
    page = failure.Report(failed(str(tmp_path / "x.pkt"), 1)).html()
    assert "&lt;mss 1000&gt; &amp; `&lt;script&gt;`" in page
    assert "≠" in page


def test_a_crash_of_ours_shows_its_traceback(file: str) -> None:
    crash = Failure(Place(file, 0, 1), "crash", "Traceback (most recent call last):\n  oops\nKeyError: 1\n")
    shown = failure.Report(failed(file)._replace(verdict="error", failure=crash)).text()
    assert "  Traceback (most recent call last):\n    oops\n  KeyError: 1" in shown


def test_the_way_there_is_a_command_that_names_file_family_and_event(file: str) -> None:
    assert failure.command(failed("dir/a.pkt"), 7) == "labstack run dir/a.pkt --ip-version ipv6 --at 7"
    assert failure.command(failed("a.pkt", ip="ipv4"), 7) == "labstack run a.pkt --at 7"
    assert failure.command(failed("my dir/a.pkt", ip="ipv4"), 7) == "labstack run 'my dir/a.pkt' --at 7"


def test_packets_are_saved_in_a_folder_that_git_ignores(tmp_path: Path) -> None:
    outcome = failed("tcp/close.pkt", evidence=Evidence(pcapng=b"abc"))
    path = Path(failure.save(outcome, tmp_path / ".labstack"))
    assert path == tmp_path / ".labstack" / "tcp-close-lab-ipv6.pcapng"
    assert path.read_bytes() == b"abc"
    assert (tmp_path / ".labstack" / ".gitignore").read_text() == "*\n"


def test_where_the_folder_cannot_be_made_packets_go_to_a_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".labstack").write_text("a file is in the way")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(failure, "mkdtemp", lambda prefix: str(tmp_path / "elsewhere"))
    assert failure.save(failed("a.pkt", evidence=Evidence(pcapng=b"abc"))) == str(
        tmp_path / "elsewhere" / "a-lab-ipv6.pcapng"
    )


def test_without_packets_nothing_is_saved(tmp_path: Path) -> None:
    assert failure.save(failed("a.pkt"), tmp_path / "x") == ""
    assert not (tmp_path / "x").exists()


# evidence


def syn() -> bytes:
    return bytes(IP(src="192.0.2.1", dst="192.168.0.1") / TCP(sport=1024, dport=8080, flags="S", seq=100))


@pytest.fixture
def calls() -> Calls:
    """A host that answered a SYN at 0 s, and again at 1 s."""
    made = Calls()
    made.history.now_call("h1", "listen", 8080)
    made.inject(syn())
    made.advance(2_000_000_000)
    return made


def test_evidence_of_our_stack_ends_at_the_instant_of_the_failure(calls: Calls) -> None:
    """RFC 6298 §5.4: the SYN-ACK comes again after 1 s; before that the ladder does not know of it."""
    early, late = (evidence.of_history(calls.history, at) for at in (500_000_000, 1_000_000_000))
    texts = ["".join(span.text for line in it.ladder for span in line) for it in (early, late)]
    assert ["rtx #1" in text for text in texts] == [False, True]
    assert early.n < late.n
    assert "RFC 9293 §3.10.7.2" in texts[0]


def test_evidence_of_our_stack_has_variables_timers_and_a_capture(calls: Calls) -> None:
    found = evidence.of_history(calls.history, 0)
    text = "\n".join("".join(span.text for span in line) for line in found.state)
    for words in ("SYN-RECEIVED", "SND.UNA 0  SND.NXT 1", "RCV.NXT 1", "synack", "in 1s"):
        assert words in text
    assert [packet.ns for packet in pcapng.read(found.pcapng)] == [0, 0]


def test_of_very_many_sockets_only_the_first_are_shown(calls: Calls) -> None:
    for _ in range(200):
        calls.bind(calls.socket(2, 2, 17).result, ("192.168.0.1", 0))
    text = ["".join(span.text for span in line) for line in evidence.of_history(calls.history, 2_000_000_000).state]
    assert len(text) < 100
    assert any(line.endswith(" lines more") for line in text)
    assert "timers" in text


def test_evidence_can_be_sent_between_processes(calls: Calls) -> None:
    found = evidence.of_history(calls.history, 0)
    assert pickle.loads(pickle.dumps(found)) == found


class Other:
    """A target that is not ours: it answers everything that arrives 1 ms later."""

    name, link, now = "kernel", "ip", 0

    def __init__(self) -> None:
        self.out: list[Packet] = []

    def call(self, name: str, *args: object) -> Result:
        return Result(3)

    def inject(self, packet: bytes) -> None:
        answer = IP(src="192.168.0.1", dst="192.0.2.1") / TCP(sport=8080, dport=1024, flags="SA", seq=7, ack=101)
        self.out.append(Packet(1_000_000, bytes(answer)))

    def wait(self, until: int, ticket: object = None) -> Packet | None:
        return self.out.pop() if self.out else None

    def info(self, fd: int) -> dict[str, int]:
        return {"tcpi_state": 3, "tcpi_lost": 0}


def test_evidence_of_another_target_is_what_passed() -> None:
    watch = Watch(Other())  # type: ignore[arg-type]
    watch.call("socket", 2, 1, 0)
    watch.inject(syn())
    watch.drain()
    found = evidence.of_watch(watch)
    text = "\n".join("".join(span.text for span in line) for line in (*found.ladder, *found.state))
    for words in (
        "socket(AF_INET, SOCK_STREAM) = 3",
        "SYN seq=0",
        "SYN,ACK seq=0 ack=1",
        "tcp_info of descriptor 3",
        "tcpi_state 3",
    ):
        assert words in text
    assert "tcpi_lost" not in text
    assert found.n == 0
    assert [packet.ns for packet in pcapng.read(found.pcapng)] == [0, 1_000_000]


def test_a_watch_passes_everything_on_and_remembers_the_order() -> None:
    watch = Watch(Other())  # type: ignore[arg-type]
    assert watch.call("socket", 2, 1, 0) == Result(3)
    watch.inject(syn())
    packet = watch.wait(0)
    assert packet is not None
    assert [(it.at, it.inbound) for it in watch.passed()] == [(0, True), (1_000_000, False)]
    assert watch.records()[0].event == Call("sys", ("socket", 2, 1, 0))
    assert watch.now == 0
