# SPDX-License-Identifier: GPL-2.0-or-later
"""Real hosts in the simulator: every kind of event, every fault of a wire, and the promises of history over them."""

import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from labstack.core.config import MS, SECOND, Config
from labstack.core.counters import unbalanced
from labstack.core.errors import StackError
from labstack.core.event import Became, Call, Rx, Tick
from labstack.core.record import Record
from labstack.sim.history import History, digest
from labstack.sim.lan import lan
from labstack.sim.wire import Bursts, Corrupt, Delay, Duplicate, Loss, Mtu, Rate, Reorder, Wire
from labstack.sim.world import World

PATTERN = bytes(i * i // 7 & 0xFF for i in range(65_536))


class Transfer:
    """An application at each end, of a World or a History: h1 sends `size` bytes to h2 and shuts down, h2 reads."""

    def __init__(self, world: Any, size: int, addr: str = "10.0.0.2") -> None:
        self.world, self.left, self.sent, self.got = world, size, hashlib.sha256(), hashlib.sha256()
        self.listener = world.now_call("h2", "listen", 80)
        self.client = world.now_call("h1", "connect", addr, 80)
        self.server = 0
        self.over = False

    def turn(self) -> None:
        """What the two applications do whenever they look."""
        if self.left:
            self._send()
        elif self.server and not self.over:
            self.world.now_call("h1", "shutdown", self.client)
            self.over = True
        if not self.server and self.world.now_call("h2", "readable", self.listener):
            self.server = self.world.now_call("h2", "accept", self.listener)[0]
        if self.server and self.world.now_call("h2", "readable", self.server) > 0:
            self.got.update(self.world.now_call("h2", "recv", self.server, 1 << 20))

    def _send(self) -> None:
        piece = PATTERN[: self.left]
        try:
            count = self.world.now_call("h1", "send", self.client, piece)
        except StackError as error:
            if error.errno != errno.EAGAIN:
                raise
        else:
            self.sent.update(piece[:count])
            self.left -= count

    def run(self, turns: int = 3000, every: int = 20 * MS) -> bool:
        """True once all has arrived and the end of the stream too."""
        for _ in range(turns):
            self.turn()
            now = self.world.world.now if isinstance(self.world, History) else self.world.now
            self.world.run(now + every)
            if self.over and self.server and self.world.now_call("h2", "readable", self.server) == -1:
                return self.sent.digest() == self.got.digest()
        return False


WIRES: dict[str, Wire] = {
    "plain": Delay(),
    "jitter": Delay(10 * MS, jitter=5 * MS),
    "rate": Rate(Delay(), 5_000_000, queue=20),
    "loss": Loss(Delay(), 0.05),
    "bursts": Bursts(Delay(), 0.01, 0.5),
    "reorder": Reorder(Delay(), 0.2, 15 * MS),
    "duplicate": Duplicate(Delay(), 0.2),
    "corrupt": Corrupt(Delay(), 0.03),
    "all": Rate(Loss(Duplicate(Reorder(Corrupt(Delay(5 * MS, MS), 0.02), 0.1), 0.1), 0.03), 20_000_000),
}


@pytest.mark.parametrize("name", WIRES)
@pytest.mark.parametrize("gso", [0, 65_535])
def test_every_byte_arrives_over_every_wire(name: str, gso: int) -> None:
    """RFC 9293 §3.8: what is lost, damaged, repeated or out of order is mended; what came in is accounted for."""
    world = lan(wire=WIRES[name], gso=gso)
    assert Transfer(world, 200_000).run()
    for host in world.hosts.values():
        host.check()
        assert unbalanced(host.env.count) == []


@pytest.mark.parametrize("addr", ["10.0.0.3", "fd00::3"])
def test_hosts_on_a_switch_reach_each_other(addr: str) -> None:
    world = lan(3, wire=Delay(MS))
    sock = world.now_call("h1", "ping", addr)
    world.run(SECOND)
    data, (source, _) = world.now_call("h1", "recvfrom", sock)
    assert (data, source) == (b"labstack", addr)


def test_nothing_happens_until_somebody_calls() -> None:
    world = lan(4)
    assert world.next() is None
    assert all(not host.env.actions and not host.env.wakes for host in world.hosts.values())


def test_seeds_and_configuration_reach_the_hosts() -> None:
    small = lan(seed=1, config=Config().replace({"net.ipv4.tcp_rmem.default": 8192}))
    assert all(host.env.config["net.ipv4.tcp_rmem.default"] == 8192 for host in small.hosts.values())
    seeds = {host.env.rng.seed for seed in (1, 2) for host in lan(seed=seed).hosts.values()}
    assert len(seeds) == 4
    with pytest.raises(ValueError, match=r"hosts = 0: expected 1\.\.250"):
        lan(0)


def conversation(seed: int = 1) -> History:
    """ARP, ND, ping, UDP to a closed port, a transfer over a bad wire with retransmissions, a close, TIME-WAIT."""
    history = History(lan(seed=seed, wire=Loss(Reorder(Delay(10 * MS, MS), 0.1), 0.1)))
    history.trace()
    history.call("h1", "ping", "fd00::2")
    history.call("h2", "ping", "10.0.0.1")
    history.call("h1", "recvfrom", 99)
    sock = history.now_call("h1", "udp")
    history.call("h1", "sendto", sock, b"hello", "10.0.0.2", 9)
    transfer = Transfer(history, 15_000)
    assert transfer.run()
    history.now_call("h2", "close", transfer.server)
    history.now_call("h1", "close", transfer.client)
    history.run(history.world.now + 70 * SECOND)
    return history


def test_the_conversation_has_every_kind_of_event_and_state() -> None:
    records = conversation().records
    assert {type(r.event) for r in records} == {Call, Rx, Tick}
    assert any(isinstance(r.result, StackError) for r in records)
    states = {t.new for r in records for t in r.trace if isinstance(t, Became) and t.what == "tcp"}
    assert {"SYN_SENT", "SYN_RECEIVED", "ESTABLISHED", "FIN_WAIT_1", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT"} <= states
    assert not any(r.fault for r in records)


def test_back_then_forward_and_forward_then_back_are_the_identity_at_every_step() -> None:
    history = conversation()
    end, total, last = history.world.as_dict(), digest(history.records), history.n
    history.goto(0)
    while history.n < last:
        before = history.world.as_dict()
        made = history.step()
        after = history.world.as_dict()
        history.back()
        assert history.world.as_dict() == before, made
        history.step()
        assert history.world.as_dict() == after, made
    assert history.world.as_dict() == end
    assert digest(history.records) == total


def test_every_moment_is_the_same_however_it_is_reached() -> None:
    history = conversation()
    places = [history.n, 7, history.n - 3, 0, history.n // 2, 1]
    seen: dict[int, dict[str, Any]] = {}
    for n in [*places, *reversed(places)]:
        assert history.goto(n) == n
        assert seen.setdefault(n, history.world.as_dict()) == history.world.as_dict()


def test_a_fork_without_the_loss_ends_earlier_and_diff_says_where_it_parted() -> None:
    history = History(lan(wire=Loss(Delay(), 0.3)))
    Transfer(history, 5000).run(20)
    fork = history.fork("noloss")
    assert history.diff(fork) == (0, None, None, [])
    fork.goto(3)
    for host in ("h1", "h2"):
        fork.rewire((host, 1), Delay())
    fork.run(20 * 20 * MS)
    found = history.diff(fork)
    assert found.n > 3
    assert found.ours != found.theirs
    assert any(path.startswith("hosts[h1].conns[") for path, _, _ in found.states)


def test_one_more_host_can_be_plugged_in_and_unplugged_by_going_back() -> None:
    history = History(lan())
    history.now_call("h1", "ping", "10.0.0.2")
    history.run()
    third = lan(3).hosts["h3"]
    history.plug(third, Delay(MS))
    sock = history.now_call("h3", "ping", "10.0.0.1")
    began = history.world.now
    history.run(lambda world: bool(world.hosts["h3"].echoes[sock].queue))
    assert history.world.now - began == 22 * MS  # ARP and echo: 1 ms towards the switch, 10 ms back from h1
    assert history.now_call("h3", "recvfrom", sock)[0] == b"labstack"
    assert third.env.count == {}  # a clone was plugged in
    last, total = history.n, digest(history.records)
    history.goto(2)
    assert list(history.world.hosts) == ["h1", "h2"]
    assert history.goto(last) == last
    assert digest(history.records) == total


def test_a_small_mtu_on_the_way_swallows_large_segments_only() -> None:
    world = lan(wire=Mtu(Delay(), 600))
    transfer = Transfer(world, 5000)
    transfer.turn()
    lost = {(len(s.frame), s.fate) for record in records_of(world) for s in record.sent if s.fate}
    assert {fate for _, fate in lost} == {"mtu 600"}
    assert min(size for size, _ in lost) > 614
    assert transfer.got.digest() == hashlib.sha256().digest()


def test_a_conversation_is_the_same_in_another_process_with_another_hash_seed() -> None:
    script = (
        "import sys; sys.path[:0] = sys.argv[1:]; import test_sim_lan as t; print(t.digest(t.conversation(5).records))"
    )
    here = Path(__file__).parent
    digests = {digest(conversation(5).records)}
    for hash_seed in ("1", "12345"):
        env = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", script, str(here), str(here.parent.parent)]
        run = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=True)
        digests.add(run.stdout.strip())
    assert len(digests) == 1


def test_two_hosts_talk_with_threads_sockets_select_and_asyncio_blocked() -> None:
    script = (
        "import sys\n"
        "for name in ('threading', 'socket', '_socket', 'select', 'selectors', 'fcntl', 'asyncio'):\n"
        "    sys.modules[name] = None\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from labstack.sim.history import History, digest\n"
        "from labstack.sim.lan import lan\n"
        "history = History(lan())\n"
        "history.trace()\n"
        "history.call('h2', 'listen', 80)\n"
        "history.call('h1', 'connect', '10.0.0.2', 80)\n"
        "history.run(10**9)\n"
        "history.back(3)\n"
        "history.run(10**9)\n"
        "print(next(iter(history.world.hosts['h1'].conns.values())).state)\n"
    )
    command = [sys.executable, "-S", "-c", script, str(Path(__file__).parent.parent.parent)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.stdout.strip() == "ESTABLISHED", run.stderr


def records_of(world: World) -> list[Record]:
    found = []
    while (record := world.step()) is not None:
        found.append(record)
    return found


def test_every_arrival_can_be_traced_to_the_frame_that_was_sent() -> None:
    world = lan(wire=Duplicate(Loss(Delay(), 0.1), 0.2))
    for _ in range(30):
        world.call("h1", "ping", "10.0.0.2")
    records = records_of(world)
    sent = {s.flight: (r, s) for r in records for s in r.sent}
    arrived = [r for r in records if isinstance(r.event, Rx)]
    assert arrived
    for record in arrived:
        sender, frame = sent[record.flight]
        assert sender.at <= record.at - 10 * MS
        assert frame.frame == record.event.frame  # type: ignore[union-attr]
        assert not frame.fate
    reached = {r.flight for r in arrived}
    assert all(bool(s.fate) == (flight not in reached) for flight, (_, s) in sent.items())
