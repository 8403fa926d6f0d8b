# SPDX-License-Identifier: GPL-2.0-or-later
"""Trial: a script is played, and the verdict is the invariants of our stack, not what the script expects.

A script asks for it with `// judge: invariants`. `// flip: 5 33:0x10 36:0x01` in it has bits of the packet of event 5
(the first is 1) flipped: 0x10 of byte 33 of the IP packet, 0x01 of byte 36; the sums are then made right again, unless
it is a sum that is flipped. Mutants are saved like this, and `labstack run` plays them.
"""

from collections.abc import Mapping

from labstack.packetdrill.script import Note, Packet, Script, ScriptError, Tcp
from labstack.scenario.mutate.bits import Flip, filled, flipped
from labstack.scenario.mutate.judge import Judged
from labstack.scenario.mutate.loose import Loose
from labstack.scenario.settings import Settings
from labstack.scenario.verdict import FailedError, Failure

INVARIANTS = "invariants"
FORM = "the number of an event, then offset:mask in bytes of its packet, as in // flip: 5 33:0x10"


def by_invariants(script: Script) -> bool:
    """Does the script want to be judged like this?"""
    return any(note.key == "judge" and note.value == INVARIANTS for note in script.notes)


def play(script: Script, target: Judged, settings: Settings) -> Failure | None:
    """Play a script to its end and let the host come to rest; the invariant that did not hold, or None."""
    flips = flips_of(script)
    loose = Loose(script, target, settings, lambda n, packet, data: sent(packet, data, flips.get(n, ())))
    try:
        failure = loose.play()
        if failure is None:
            target.rest()
            target.repeat()
    except FailedError as error:
        failure = error.failure
    return failure and failure._replace(place=loose.place, at=target.now, event=loose.number)


def sent(packet: Packet, data: bytes, flips: tuple[Flip, ...]) -> bytes:
    """The bytes of a packet: its text says where in the stream it belongs, and its bits are flipped."""
    if isinstance(packet.body, Tcp):
        data = filled(data, packet.body.size, packet.body.seq)
    return flipped(data, flips)


# flips in a script


def flips_of(script: Script) -> Mapping[int, tuple[Flip, ...]]:
    """The flips of a script by the index of their event. Raises ScriptError."""
    found: dict[int, tuple[Flip, ...]] = {}
    for note in script.notes:
        if note.key == "flip":
            number, flips = _flips(note)
            if not 0 < number <= len(script.events):
                raise ScriptError(note.place, f"found event {number}, expected 1 to {len(script.events)}")
            found[number - 1] = flips
    return found


def _flips(note: Note) -> tuple[int, tuple[Flip, ...]]:
    try:
        number, *words = note.value.split()
        pairs = [word.split(":") for word in words]
        return int(number), tuple([Flip(int(offset), int(mask, 0) & 0xFF) for offset, mask in pairs])
    except ValueError:
        raise ScriptError(note.place, f"found {note.value!r}, expected {FORM}") from None


def flip_note(script: Script, index: int, flips: tuple[Flip, ...]) -> Note:
    """The note for the event `index`."""
    return Note("flip", " ".join([str(index + 1), *map(str, flips)]), script.events[index].place)
