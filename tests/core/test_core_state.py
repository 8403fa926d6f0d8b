# SPDX-License-Identifier: GPL-2.0-or-later
"""@state: a clone is equal and independent, a diff names exactly what differs, the generated source can be read."""

import copy
import inspect
import linecache
from collections import defaultdict, deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labstack.core.state import State, differ, field, plain, state


@state
class Leaf(State):
    value: int
    text: str = "x"


@state
class Tree(State):
    number: int = 1
    data: bytes = b"d"
    pair: tuple[int, ...] = (1, 2)
    maybe: Leaf | None = None
    leaf: Leaf = field(default_factory=lambda: Leaf(1))
    numbers: list[int] = field(default_factory=list)
    leaves: list[Leaf] = field(default_factory=list)
    queue: deque[int] = field(default_factory=deque)
    trees: deque[Leaf] = field(default_factory=deque)
    table: dict[bytes, int] = field(default_factory=dict)
    by_name: dict[str, Leaf] = field(default_factory=dict)
    nested: dict[int, list[Leaf]] = field(default_factory=dict)
    members: set[int] = field(default_factory=set)
    count: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    cache: list[int] = field(default_factory=list, compare=False)


@state
class Empty(State):
    pass


def full() -> Tree:
    tree = Tree(maybe=Leaf(9), numbers=[1], leaves=[Leaf(2)], queue=deque([3]), trees=deque([Leaf(4)]))
    tree.table, tree.by_name, tree.nested = {b"\1\2": 5}, {"a": Leaf(6)}, {7: [Leaf(8)]}
    tree.members, tree.cache = {1}, [1]
    tree.count["x"] += 1
    return tree


CHANGES = {
    "number": lambda t: setattr(t, "number", 2),
    "data": lambda t: setattr(t, "data", b"e"),
    "pair": lambda t: setattr(t, "pair", (1,)),
    "maybe": lambda t: setattr(t, "maybe", None),
    "maybe.value": lambda t: setattr(t.maybe, "value", 10),
    "leaf.text": lambda t: setattr(t.leaf, "text", "y"),
    "numbers": lambda t: t.numbers.append(2),
    "leaves[0].value": lambda t: setattr(t.leaves[0], "value", 3),
    "queue": lambda t: t.queue.append(4),
    "trees": lambda t: setattr(t.trees[0], "value", 5),
    "table[01:02]": lambda t: t.table.update({b"\1\2": 6}),
    "by_name[a].value": lambda t: setattr(t.by_name["a"], "value", 7),
    "by_name[b]": lambda t: t.by_name.update(b=Leaf(1)),
    "nested[7][0].value": lambda t: setattr(t.nested[7][0], "value", 9),
    "members": lambda t: t.members.add(2),
    "count[x]": lambda t: t.count.update(x=2),
}


@pytest.mark.parametrize("path", CHANGES)
def test_a_change_in_a_clone_is_found_by_its_path_and_leaves_the_original(path: str) -> None:
    original, reference = full(), full()
    clone = original.clone()
    assert clone == original
    assert original.diff(clone) == []
    CHANGES[path](clone)
    assert clone != original
    assert original == reference
    assert [p for p, _, _ in original.diff(clone)] == [path]
    assert len(original.diff(clone)) == 1


def test_a_difference_has_ours_first() -> None:
    ours, theirs = full(), full()
    theirs.number = 5
    theirs.table[b"new"] = 1
    assert ours.diff(theirs) == [("number", 1, 5), ("table[6e:65:77]", None, 1)]
    assert theirs.diff(ours) == [("number", 5, 1), ("table[6e:65:77]", 1, None)]


def test_a_clone_keeps_the_kinds_of_its_containers() -> None:
    clone = full().clone()
    assert isinstance(clone.queue, deque)
    assert isinstance(clone.trees, deque)
    assert clone.count["never seen"] == 0
    assert clone.members == {1}


def test_a_field_that_is_not_compared_is_still_cloned() -> None:
    tree, other = full(), full()
    other.cache.append(2)
    assert tree == other
    assert tree.diff(other) == []
    clone = tree.clone()
    clone.cache.append(3)
    assert tree.cache == [1]
    assert tree.as_dict()["cache"] == [1]


def test_as_dict_is_plain_all_the_way_down() -> None:
    def check(value: Any) -> None:
        assert type(value) in (int, str, bytes, list, dict, type(None))
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            check(inner)

    found = full().as_dict()
    check(found)
    assert found["table"] == {"01:02": 5}
    assert found["nested"] == {"7": [{"value": 8, "text": "x"}]}
    assert plain(memoryview(b"abc")) == b"abc"


def test_states_of_different_classes_are_never_equal_and_none_is_hashable() -> None:
    assert Leaf(1) != Empty()
    assert Empty() == Empty()
    assert Leaf(1) != (1, "x")
    with pytest.raises(TypeError, match="unhashable"):
        hash(Leaf(1))


def test_a_state_has_slots_and_shows_itself() -> None:
    with pytest.raises(AttributeError):
        Leaf(1).valeu = 2  # type: ignore[attr-defined]
    assert repr(Leaf(1)) == "Leaf(value=1, text='x')"


def test_the_generated_code_can_be_read_by_a_debugger() -> None:
    assert "it.leaf = self.leaf.clone()" in inspect.getsource(Tree.clone)
    assert "it.numbers = self.numbers.copy()" in "".join(linecache.getlines(Tree.clone.__code__.co_filename))


def test_what_cannot_be_copied_is_refused_when_the_class_is_made() -> None:
    with pytest.raises(TypeError, match="cannot copy the union"):

        @state
        class Either(State):
            what: Leaf | list[int]

    with pytest.raises(TypeError, match="cannot copy a set of"):

        @state
        class Many(State):
            what: set[Leaf]


def test_a_class_without_the_decorator_says_so() -> None:
    class Plain(State):
        __slots__ = ()

    with pytest.raises(TypeError, match="Plain is not decorated with @state"):
        Plain().clone()


def test_lists_of_unequal_length_differ_as_wholes() -> None:
    assert differ([1], [1, 2], ".a") == [("a", [1], [1, 2])]


leaf = st.builds(Leaf, st.integers(), st.text(max_size=3))
trees = st.builds(
    Tree,
    maybe=st.none() | leaf,
    numbers=st.lists(st.integers(), max_size=3),
    leaves=st.lists(leaf, max_size=3),
    trees=st.builds(deque, st.lists(leaf, max_size=3)),
    table=st.dictionaries(st.binary(max_size=3), st.integers(), max_size=3),
    nested=st.dictionaries(st.integers(), st.lists(leaf, max_size=2), max_size=2),
    members=st.sets(st.integers(), max_size=3),
)


@given(one=trees, two=trees)
def test_clone_equals_deepcopy_and_diff_is_empty_exactly_for_equals(one: Tree, two: Tree) -> None:
    assert one.clone() == copy.deepcopy(one) == one
    assert (one == two) == (one.diff(two) == [])
    assert (one.as_dict() == two.as_dict()) or one != two
