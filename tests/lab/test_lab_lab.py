# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's verbs on real hosts: time both ways, worlds side by side, tables, what is said to a wrong call."""

import re
from pathlib import Path
from typing import Any

import pytest

from labstack.core.event import Rx
from labstack.lab.errors import LabError
from labstack.lab.lab import Lab
from labstack.lab.view import View
from layers import ARP, Ether, pcapng


def connected() -> tuple[Lab, Any, Any]:
    """A lab with an established connection from h1 to h2's port 80."""
    lab = Lab()
    server = lab.h2.listen(80)
    client = lab.h1.connect(lab.h2.ip, 80)
    lab.run()
    return lab, client, server.accept()


def test_a_lab_has_hosts_with_the_addresses_it_says() -> None:
    lab = Lab(hosts=3)
    assert [(h.name, h.ip, h.ip6, h.mac) for h in lab.hosts][2] == ("h3", "10.0.0.3", "fd00::3", "02:00:00:00:00:03")
    assert lab.h3 is lab.hosts[2]
    assert "h3 10.0.0.3 fd00::3 02:00:00:00:00:03" in str(lab)


@pytest.mark.parametrize("to", ["ip", "ip6"])
def test_a_ping_is_queued_then_stepped_and_answered(to: str) -> None:
    lab = Lab()
    ping = lab.h1.ping(getattr(lab.h2, to))
    assert "queued" in str(ping)
    assert lab.records == []
    assert [lab.step()[0].host for _ in range(5)] == ["h1", "h2", "h1", "h2", "h1"]
    assert ping.reply()[1] == (getattr(lab.h2, to), 1)


def test_three_hosts_reach_each_other_over_a_switch() -> None:
    lab = Lab(hosts=3)
    ping = lab.h3.ping(lab.h1.ip)
    lab.run()
    assert "1 reply" in str(ping)
    assert "h2" in lab.ladder().text().splitlines()[0]


def test_step_takes_several_and_stops_where_nothing_is_left() -> None:
    lab = Lab()
    assert "nothing is left to happen" in str(lab.step())
    lab.h1.ping(lab.h2.ip)
    assert len(lab.step(3)) == 3


def test_back_undoes_and_going_on_repeats_exactly() -> None:
    lab, client, _ = connected()
    client.send(b"x" * 3000)
    lab.run()
    before, states = list(lab.records), lab.history.world.clone()
    lab.back(len(before))
    assert lab.records == []
    assert lab.now == 0
    lab.step(len(before))
    assert lab.records == before
    assert lab.history.world == states


def test_a_value_that_was_read_is_there_again_after_back() -> None:
    lab, client, served = connected()
    client.send(b"hello")
    lab.run()
    assert served.recv() == b"hello"
    lab.back()
    assert served.recv() == b"hello"


def test_run_stops_when_nothing_is_under_way_and_leaves_ageing_timers_alone() -> None:
    lab, client, served = connected()
    client.close()
    served.close()
    lab.run()
    assert client.state == "TIME_WAIT"
    assert lab.now < 1_000_000_000
    lab.advance("61s")
    assert client.state == "CLOSED"


def test_run_waits_for_retransmissions_and_for_unanswered_questions() -> None:
    lab = Lab()
    lab.h1.ping("10.0.0.77")
    lab.run()
    assert "FAILED" in str(lab.h1.arp)


def test_run_stops_at_a_window_that_nobody_opens_and_goes_on_when_it_is_read() -> None:
    """RFC 9293 §3.8.6.1."""
    lab, client, served = connected()
    client.send(b"x" * 300_000)
    lab.run()
    assert len(lab.records) < 1000
    got = served.recv(1 << 20)
    assert 0 < len(got) < 300_000
    while len(got) < 300_000:
        lab.run()
        got += served.recv(1 << 20)
    assert got == b"x" * 300_000


def test_a_send_that_did_not_fit_says_how_much_did() -> None:
    lab, client, _ = connected()
    client.send(b"x" * 1_000_000)
    client.send(b"x" * 1_000_000)
    lab.step(2)
    assert "only 33872 bytes fitted" in str(lab.why())


def test_a_send_that_can_never_fit_is_refused_with_what_to_do() -> None:
    lab, client, _ = connected()
    with pytest.raises(LabError, match=r"more than the send buffer of 1048576; .*h1.sysctl"):
        client.send(b"x" * 2_000_000)
    assert lab.history.world.calendar == []


def test_until_stops_after_the_event_that_made_it_true() -> None:
    lab = Lab()
    lab.h2.listen(80)
    client = lab.h1.connect(lab.h2.ip, 80)
    lab.until('c.state == "ESTABLISHED"', {"c": client})
    assert client.state == "ESTABLISHED"
    lab.back()
    assert client.state == "SYN_SENT"
    lab.until(lambda: client.state == "ESTABLISHED")
    assert lab.records[-1].host == "h1"


def test_until_knows_the_hosts_and_the_last_event() -> None:
    lab = Lab()
    lab.h1.ping(lab.h2.ip)
    lab.until("ev.host == h2.name")
    assert lab.records[-1].host == "h2"


@pytest.mark.parametrize(
    ("condition", "says"),
    [("False", "does not hold"), ("nonsense", "NameError"), ("a b", "not an expression"), ("1/0", "division by zero")],
)
def test_until_says_why_it_gave_up(condition: str, says: str) -> None:
    lab = Lab()
    lab.h1.ping(lab.h2.ip)
    with pytest.raises(LabError, match=says):
        lab.until(condition)


def test_a_fork_goes_its_own_way_and_diff_names_the_first_event_that_differs() -> None:
    lab, client, _ = connected()
    other = lab.fork("lossy")
    other.wire.lose(1, only="h1")
    before = len(lab.records)
    for world in (lab, other):
        world.h1.queue("send", client.sock, b"x")
        world.run()
    assert other.now > lab.now
    difference = lab.diff("lossy")
    assert difference.found.n == before + 1
    assert "loss of frame 1" in str(difference)
    assert not lab.diff(lab)


def test_enter_takes_the_handles_along() -> None:
    lab, client, _ = connected()
    lab.fork("closed")
    lab.enter("closed")
    client.abort()
    lab.run()
    assert client.state == "CLOSED"
    lab.enter("main")
    assert client.state == "ESTABLISHED"


def test_the_same_seed_is_the_same_run_and_another_is_another() -> None:
    def story(seed: int) -> str:
        lab = Lab(seed=seed)
        lab.wire.loss(0.2)
        lab.h2.listen(80)
        lab.h1.connect(lab.h2.ip, 80).send(b"x" * 20_000)
        lab.run("20s")
        return str(lab.ladder())

    assert story(5) == story(5)
    assert story(5) != story(6)


def test_inject_hands_a_frame_over_and_back_takes_it_away() -> None:
    lab = Lab()
    lab.h1.ping(lab.h2.ip)
    lab.run()
    forged = ARP(op=2, psrc=lab.h2.ip, hwsrc="02:ba:d0:00:00:01", pdst=lab.h1.ip)
    lab.inject(Ether(dst=lab.h1.mac) / forged)  # to whom it is addressed
    assert "02:ba:d0:00:00:01" in str(lab.h1.arp)
    lab.back()
    assert "02:ba:d0" not in str(lab.h1.arp)


def test_inject_takes_bytes_bare_packets_and_broadcasts() -> None:
    lab = Lab()
    asked = ARP(op=1, psrc="10.0.0.9", hwsrc="02:00:00:00:00:09", pdst=lab.h2.ip)
    assert len(lab.inject(bytes(Ether(dst="ff:ff:ff:ff:ff:ff") / asked))) == 2
    assert lab.inject(asked, to="h2")[0].host == "h2"
    assert isinstance(lab.inject(b"", to="h1")[0].event, Rx)


@pytest.mark.parametrize("hosts", [2, 3, 5])
def test_the_arrow_of_an_injected_frame_begins_between_the_rails(hosts: int) -> None:
    lab = Lab(hosts=hosts)
    lab.inject(bytes(60), to="h1")
    picture = lab.ladder().svg()
    rails = [int(x) for x in re.findall(r'class="r" x1="(\d+)"', picture)]
    assert len(rails) == hosts
    assert rails[0] < int(re.findall(r'class="" x1="(\d+)"', picture)[0]) < rails[1]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda lab: Lab(hosts=1), "hosts=1: expected 2"),
        (lambda lab: Lab(wire="carrier pigeon"), "expected 'memory' or 'tap'"),
        (lambda lab: Lab(delay="10"), "with its unit"),
        (lambda lab: lab.step(0), "expected 1 or more"),
        (lambda lab: lab.back(-1), "expected 1 or more"),
        (lambda lab: lab.why(7), "there is no event #7"),
        (lambda lab: lab.ss("h9"), "there are h1, h2"),
        (lambda lab: lab.inject("text", to="h1"), "is no packet"),
        (lambda lab: lab.inject(b"\x00" * 14), "say to whom"),
        (lambda lab: lab.advance("soon"), "not a span of time"),
        (lambda lab: lab.until(""), "until what"),
        (lambda lab: lab.until("h1.ip = 3"), "is not an expression: invalid syntax; to compare is =="),
        (lambda lab: lab.until("h1.rout"), "no attribute 'rout'; did you mean route"),
        (lambda lab: lab.until("lab.h1 == CLOSED"), "text stands in quotes, as 'CLOSED'"),
        (lambda lab: lab.until("lab.host('h9')"), "until lab.host\\('h9'\\): no host 'h9'"),
        (lambda lab: lab.tcb("h9"), "'h9' is neither a connection, as in c = "),
        (lambda lab: lab.wire.rate("1mb"), "'1mb' is not a rate: expected bits a second, as 1_000_000 or '1mbit'"),
        (lambda lab: lab.wire.police(0.5), "0.5 is not a rate"),
        (lambda lab: lab.lader(3), "the lab has no 'lader'; did you mean ladder"),
        (lambda lab: lab.fork("main"), "already"),
        (lambda lab: lab.enter("nowhere"), "there are main"),
        (lambda lab: lab.diff("nowhere"), "there are main"),
        (lambda lab: lab.export("/no/such/place.pcapng"), "cannot write"),
        (lambda lab: lab.exec("true"), "this wire is in memory"),
        (lambda lab: lab.wire.loss(7), "expected a probability"),
        (lambda lab: lab.wire.drop("text"), "expected a function"),
        (lambda lab: lab.wire.loss(0.1, only="h9"), "no wire leaves 'h9'"),
        (lambda lab: lab.h1.connect("h2", 80), "is not an address"),
        (lambda lab: lab.h1.connect(lab.h2.ip, 0), "is not a port"),
        (lambda lab: lab.h1.listen(True), "is not a port"),
    ],
)
def test_a_wrong_call_says_what_was_wrong_and_what_to_do(wrong: Any, says: str) -> None:
    with pytest.raises(LabError, match=says):
        wrong(Lab())


def test_an_unknown_host_is_an_attribute_error_that_lists_the_hosts() -> None:
    with pytest.raises(AttributeError, match="its hosts are h1, h2"):
        _ = Lab().h7


def test_what_was_counted_is_found_by_a_part_of_its_name() -> None:
    lab, _, _ = connected()
    assert str(lab.nstat("PassiveOpens")).split() == ["h2", "TcpPassiveOpens", "1"]
    assert {line.split()[1] for line in str(lab.nstat("TcpExt*", "h1")).splitlines()} == {"TcpExtTCPDelivered"}
    assert str(lab.nstat("h2", lab.h2)) == "(nothing was counted)"


def test_time_that_passed_without_an_event_is_told() -> None:
    assert str(Lab().advance("2s")) == "(nothing happened; it is 2000.000 ms now)"


def test_a_difference_has_room_for_the_names_of_states() -> None:
    lab, client, _ = connected()
    lab.fork("other")
    client.send(b"x")
    lab.run()
    assert re.search(r"hosts\[h1\].env.count\[TcpExtTCPOrigDataSent\]  1 +-", str(lab.diff("other")))


def test_wire_rules_act_on_what_matches_and_are_undone_by_back() -> None:
    lab, client, served = connected()
    lab.wire.drop(lambda pkt: len(pkt) > 60, only="h1")
    client.send(b"x" * 100)
    lab.run()
    assert any(s.fate == "drop rule" for r in lab.records for s in r.sent)
    assert served.recv() == b"x" * 100


FAULTS = {
    "delay": "1ms", "loss": 0.1, "rate": 1_000_000, "mark": 1_000_000, "police": 1_000_000, "duplicate": 0.5,
    "reorder": 0.5, "corrupt": 0.2,
}  # fmt: skip


@pytest.mark.parametrize("change", FAULTS)
def test_every_fault_of_the_wire_can_be_had(change: str) -> None:
    lab = Lab()
    getattr(lab.wire, change)(FAULTS[change])
    server = lab.h2.listen(80)
    lab.h1.connect(lab.h2.ip, 80).send(b"y" * 30_000)
    lab.run("60s")
    served = server.accept()
    assert served.recv(1 << 20) == b"y" * 30_000
    assert re.match(rf"h1: .*\b{change} [0-9a]", str(lab.wire))


def test_tables_are_printed_as_ss_and_ip_print_them() -> None:
    lab, client, _ = connected()
    listed = str(lab.ss())
    assert "Netid" in listed
    assert "ESTAB" in listed
    assert "LISTEN" in listed
    assert "rto:" in str(lab.h1.ss())
    assert "10.0.0.2 dev eth0 lladdr 02:00:00:00:00:02 REACHABLE" in str(lab.arp("h1"))
    assert "10.0.0.0/24 dev eth0" in str(lab.route(lab.h2))
    assert "neighbour" in str(lab.timers())
    assert "TcpActiveOpens" in str(lab.h1.counters)
    assert "no sockets" in str(Lab().ss())
    assert client.status()["mss"] == 1448


def test_where_tells_what_is_pending() -> None:
    lab = Lab()
    assert "nothing is pending" in str(lab.where())
    lab.h1.ping(lab.h2.ip)
    assert "called ping 10.0.0.2" in str(lab.where())
    lab.step()
    assert "will receive ARP who-has" in str(lab.where())


def test_events_can_be_asked_for_words() -> None:
    lab, *_ = connected()
    assert "called listen" not in str(lab.events("SYN"))
    assert "SYN,ACK" in str(lab.events("SYN"))
    assert "no event mentions that" in str(lab.events("penguin"))
    assert "called accept" in str(lab.events().why)


def test_of_many_frames_those_are_told_for_which_there_is_room_and_how_many_more_there_are() -> None:
    lab = Lab()
    lab.h2.listen(80)
    c = lab.h1.connect(lab.h2.ip, 80)
    lab.run()
    c.send(b"x" * 14480)
    lab.step()
    sent = lab.events("called send")
    whole, narrow = sent.text(), sent.text(80)
    assert "seq=1449:2897 ack=1 len=1448   … and 8 more" in whole
    assert "seq=2897" not in whole
    assert "… and 9 more" in narrow
    assert max(map(len, narrow.splitlines())) <= 80
    assert len(lab.events("seq=13033:14481").text().splitlines()) == 2


def test_export_writes_frames_with_reasons_interfaces_and_directions(tmp_path: Path) -> None:
    lab, *_ = connected()
    lab.inject(Ether(dst=lab.h1.mac) / ARP(op=2, psrc="10.0.0.9"))
    lab.export(str(tmp_path / "run.pcapng"))
    packets = list(pcapng.read((tmp_path / "run.pcapng").read_bytes()))
    assert len(packets) == sum(len(r.sent) for r in lab.records) + 1
    syn = next(p for p in packets if "CLOSED → SYN_SENT" in p.comment)
    assert (syn.interface, syn.direction) == ("h1", "out")
    assert "RFC 9293" in syn.comment
    assert packets[-1].direction == "in"
    assert packets[-1].comment.startswith("injected")


def test_every_view_shows_itself_as_text_rich_and_for_jupyter() -> None:
    from io import StringIO

    from rich.console import Console

    lab, client, _ = connected()
    views: list[View] = [
        lab, lab.h1, client, lab.where(), lab.ladder(), lab.why(), lab.events(), lab.ss(), lab.neigh(), lab.route(),
        lab.timers(), lab.wire, lab.diff("main"), lab.h1.counters, lab.h1.nd,
    ]  # fmt: skip
    for view in views:
        console = Console(file=StringIO(), width=200, force_terminal=True)
        console.print(view)
        bundle = view._repr_mimebundle_()
        assert bundle["text/plain"] == repr(view) == str(view)
        assert any(line.strip() and line.split()[0] in console.file.getvalue() for line in str(view).splitlines())  # type: ignore[attr-defined]
        assert len(bundle) == 2


def test_a_lab_is_a_context() -> None:
    with Lab() as lab:
        assert lab.records == []


@pytest.mark.parametrize("size", [0, 56, 255, 1000])
def test_a_ping_has_as_many_bytes_as_was_said(size: int) -> None:
    """RFC 792."""
    lab = Lab()
    ping = lab.h1.ping(lab.h2.ip, size=size)
    lab.run()
    data = ping.reply()[0]
    assert (len(data), data[:256]) == (size, bytes(range(256))[:size])


@pytest.mark.parametrize("size", [-1, 65508, "x", 1.5, True, None])
def test_a_ping_of_no_possible_size_is_refused(size: Any) -> None:
    with pytest.raises(LabError, match=r"is not a size of a ping, in bytes: expected a number in 0\.\.65507"):
        Lab().h1.ping("10.0.0.2", size=size)


@pytest.mark.parametrize(
    "call",
    [
        *("advance(float('inf'))", "advance(float('nan'))", "advance(10**400)", "advance(True)", "advance(None)"),
        *("wire.loss('x')", "wire.loss(None)", "why(1.5)", "why('1')", "ladder('x')", "ladder(-1)", "events(5)"),
        *("until(5)", "until(None)", "export(None)", "fork(5)", "step(True)", "back(1.5)"),
        "h1.connect('10.0.0.2', 80).shutdown([])",
    ],
)
def test_a_wrong_argument_is_answered_with_what_was_expected(call: str) -> None:
    with pytest.raises(LabError, match=r"expected|write it"):
        eval(f"lab.{call}", {"lab": Lab()})


def test_a_seed_is_a_whole_number() -> None:
    with pytest.raises(LabError, match="'x' is not a seed: expected 0 or more"):
        Lab(seed="x")  # type: ignore[arg-type]


def test_back_at_the_beginning_says_so() -> None:
    with pytest.raises(LabError, match="event #0, the beginning"):
        Lab().back()


def test_a_condition_that_raises_is_reported_also_when_nothing_is_pending() -> None:
    with pytest.raises(LabError, match="ZeroDivisionError"):
        Lab().until("1/0")


def test_a_handle_tells_which_of_its_calls_are_queued() -> None:
    lab, client, server = connected()
    client.send(b"hello").close()
    lab.h2.udp(client.sock)  # a port of that number is another thing
    assert str(client).endswith("ESTABLISHED (queued: send, close; done by the next steps)")
    assert "queued" not in str(server)
    lab.run()
    assert "queued" not in str(client)
    assert str(lab.h1.connect(lab.h2.ip, 80)).endswith("(queued: connect; done by the next steps)")
    assert str(lab.h1.ping(lab.h2.ip)).endswith("(queued: ping; done by the next steps)")


def test_a_drop_function_that_raises_is_told_once_and_shown_on_the_wire() -> None:
    lab = Lab()
    lab.wire.drop(lambda pkt: pkt.nonsense, only="h1")
    lab.h1.ping(lab.h2.ip)
    said = "✗ drop on the wire from h1: the function raised, and the rule is off now: AttributeError"
    assert said in str(lab.step())
    assert "✗" not in str(lab.run())
    assert said in str(lab.wire)
    lab.wire.delay("10ms")
    assert "✗" not in str(lab.wire)


def test_a_drop_rule_is_for_one_frame_unless_a_count_is_given() -> None:
    lab = Lab()
    lab.wire.drop(lambda pkt: ARP in pkt, only="h1")
    lab.h1.ping(lab.h2.ip)
    assert sum(bool(sent.fate) for record in lab.run() for sent in record.sent) == 1
