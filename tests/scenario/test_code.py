# SPDX-License-Identifier: GPL-2.0-or-later
"""Code blocks: what a block may say, what it is told when it is wrong, and that nothing leads out of it."""

import pytest

from labstack.packetdrill.script import Code, Place
from labstack.scenario.code.blocks import Blocks, CodeError
from labstack.scenario.code.budget import BLOCK

HERE = Place("a.pkt", 10, 1)
INFO = {"snd_cwnd": 12, "ca_state": 0, "state": 1, "SK_MEMINFO_RMEM_ALLOC": 0}


def run(text: str, blocks: Blocks | None = None, info: dict[str, int] = INFO, line: int = 10) -> str:
    return (blocks or Blocks()).run(Code(text, line), HERE, info)


def fails(text: str, blocks: Blocks | None = None, info: dict[str, int] = INFO, line: int = 10) -> CodeError:
    with pytest.raises(CodeError) as told:
        run(text, blocks, info, line)
    return told.value


# what a block may say


@pytest.mark.parametrize(
    "text",
    [
        "assert tcpi_snd_cwnd == 12, tcpi_snd_cwnd",
        "assert tcpi_snd_cwnd == 12, 'cwnd=%d' % tcpi_snd_cwnd",
        "assert (tcpi_snd_cwnd & 4) != 0 and not tcpi_ca_state",
        "assert 11 <= tcpi_snd_cwnd < 13; assert tcpi_ca_state == TCP_CA_Open",
        "assert tcpi_state == TCP_ESTABLISHED and TCP_INFINITE_SSTHRESH == 0x7fffffff",
        "assert SK_MEMINFO_RMEM_ALLOC == 0",
        "x = 3\nx += 4\nassert x == 7",
        "a, b = 1, (2, 3)\nassert a + b[1] == 4 and b[-1] == 3",
        "x = [5, 2, 3]\nassert x[0] == 5 and sum(x) == 10 and sorted(x)[-1] == 5",
        "n = 0\nfor i in range(10):\n  if i % 2: continue\n  n += i\nelse:\n  n += 100\nassert n == 120",
        "n = 0\nwhile True:\n  n += 1\n  if n > 5: break\nassert n == 6",
        "for k, v in enumerate(['a', 'b']):\n  pass\nassert (k, v) == (1, 'b')",
        "assert (1 if tcpi_snd_cwnd else 2) == 1 and (None is None) and 1 is not None",
        "assert f'{tcpi_snd_cwnd:>5}|{1.5:.2f}|{\"a\"!r}' == \"   12|1.50|'a'\"",
        "assert '%s-%05.1f%%' % ('a', 2.25) == 'a-002.2%'",
        "assert min(3, 1, 2) == 1 and max([1, 5]) == 5 and abs(-3) == 3 and round(2.567, 1) == 2.6 and len('abc') == 3",
        "assert int('12') + int(1.9) == 13 and float('1.5') == 1.5 and str(5) == '5' and bool(0) is False",
        "assert divmod(7, 2) == (3, 1) and 2 ** 10 == 1024 and 7 // 2 == 3 and -7 % 3 == 2 and 1 << 4 == 16",
        "assert list(zip([1], [2])) == [(1, 2)] and list(reversed([1, 2])) == [2, 1] and tuple([1]) == (1,)",
        "assert 10**30 in range(10**31) and len(range(0, 10**9, 2)) == 5 * 10**8",
        "# a comment\n\nassert True",
        "",
    ],
)
def test_what_blocks_say_is_python(text: str) -> None:
    """Each holds in Python, too."""
    run(text)
    run(text, Blocks(allow=True))


def test_what_is_printed_is_collected() -> None:
    assert run("print(tcpi_snd_cwnd, 'x', sep='-')\nprint([1], end='')") == "12-x\n[1]"
    assert run("print(1)", Blocks(allow=True)) == "1\n"


def test_names_persist_and_tcp_info_is_fresh() -> None:
    blocks = Blocks()
    run("before = tcpi_snd_cwnd", blocks)
    run("assert (before, tcpi_snd_cwnd) == (12, 20)", blocks, {"snd_cwnd": 20})
    assert (
        fails("tcpi_snd_cwnd", blocks, {}).why == "there is no tcpi_snd_cwnd: no connection's tcp_info could be taken"
    )


def test_names_of_info_may_have_their_prefix() -> None:
    run("assert tcpi_x == 1 and SK_MEMINFO_Y == 2 and bbr_z == 3", None, {"tcpi_x": 1, "SK_MEMINFO_Y": 2, "bbr_z": 3})


@pytest.mark.parametrize(
    "text",
    [
        "assert tcpi_snd_cwnd == 12;\\\n         assert tcpi_state == 1;\\",
        "assert tcpi_snd_cwnd == 12\n    assert tcpi_state == 1",
        "if tcpi_state:\n    assert tcpi_snd_cwnd == 12",
        "assert (tcpi_snd_cwnd ==\n    12)",
    ],
)
def test_blocks_that_lost_their_first_indentation_are_read(text: str) -> None:
    run(text)


# what is told of a wrong one


def test_a_failed_assertion_tells_the_values_of_its_names() -> None:
    failed = fails("\nassert tcpi_snd_cwnd == 10, tcpi_snd_cwnd")
    assert (failed.kind, failed.place.line) == ("code", 11)
    assert failed.why == "tcpi_snd_cwnd == 10, but tcpi_snd_cwnd is 12"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("assert tcpi_snd_cwnd == 10, 'too big'", "tcpi_snd_cwnd == 10, but tcpi_snd_cwnd is 12 (too big)"),
        ("assert tcpi_ca_state == TCP_CA_Loss",
         "tcpi_ca_state == TCP_CA_Loss, but tcpi_ca_state is 0, TCP_CA_Loss is 4"),
        ("x = [1]\nassert (x[0]\n   == 2)", "x[0] == 2, but x is [1]"),
        ("assert 1 == 2", "1 == 2 does not hold"),
    ],
)  # fmt: skip
def test_assertions_are_told_as_they_stand(text: str, says: str) -> None:
    assert fails(text).why == says


def test_real_python_tells_the_same() -> None:
    for text in ("\nassert tcpi_snd_cwnd == 10, 'x'", "tcpi_snd_cwd", "\n\n1 / 0"):
        assert fails(text, Blocks(allow=True)).args == fails(text).args


def test_an_unknown_name_comes_with_those_that_are_like_it() -> None:
    assert fails("assert tcpi_snd_cwd == 1").why == "there is no name tcpi_snd_cwd; is it tcpi_snd_cwnd?"
    assert fails("assert qqqqqq").why == "there is no name qqqqqq"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("\n1 / 0", 11, "ZeroDivisionError: division by zero"),
        ("x = [1]\n\nx[5]", 12, "IndexError: list index out of range"),
        ("'a' + 1", 10, "TypeError: can only concatenate"),
        ("a, b = 1, 2, 3", 10, "ValueError: 3 values for 2 names"),
        ("for x in 5: pass", 10, "TypeError: 'int' cannot be gone through"),
        ("\nassert (", 11, "no Python: "),
        ("print tcpi_snd_cwnd", 10, "no Python: "),
        ("break", 10, "'break' outside of a loop"),
        ("int('x')", 10, "ValueError: invalid literal"),
        ("(-8) ** 0.5", 10, "a result of type complex"),
        ("[[1]] [0] < 3", 10, "TypeError: "),
    ],
)
def test_an_error_is_told_with_its_line(text: str, line: int, says: str) -> None:
    failed = fails(text)
    assert (failed.kind, failed.place.line) == ("code", line)
    assert failed.why.startswith(says)


def test_lines_count_from_the_event_where_the_block_does_not_know_its_own() -> None:
    assert fails("\n1/0", line=0).place.line == HERE.line + 1


# nothing leads out of it


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("import os", "import"),
        ("def f(): pass", "def"),
        ("return 1", "return"),
        ("x = {'a': 1}", "a dict"),
        ("[x for x in (1,)]", "a comprehension"),
        ("any(x for x in (1,))", "a comprehension"),
        ("del x", "del"),
        ("'abc'[1:]", "a slice"),
        ("x = [1]\nx[0] = 2", "a change of a list"),
        ("[].append(1)", "an attribute"),
        ("from os import system", "import"),
        ("__import__('os')", "__import__()"),
        ("x = __import__", "the name __import__"),
        ("__builtins__['open']", "the name __builtins__"),
        ("open('/etc/passwd')", "open()"),
        ("exec('1')", "exec()"),
        ("eval('1')", "eval()"),
        ("compile('1', '', 'exec')", "compile()"),
        ("getattr(1, 'real')", "getattr()"),
        ("globals()", "globals()"),
        ("vars()", "vars()"),
        ("type(1)", "type()"),
        ("input()", "input()"),
        ("breakpoint()", "breakpoint()"),
        ("().__class__", "an attribute"),
        ("x = 'a'.upper", "an attribute"),
        ("().__class__.__bases__[0].__subclasses__()", "an attribute"),
        ("x = len", "the function len as a value"),
        ("x = [len][0]", "the function len as a value"),
        ("(lambda: 1)()", "a call of what is no name"),
        ("x = lambda: 1", "lambda"),
        ("class A: pass", "class"),
        ("with x: pass", "with"),
        ("try: pass\nexcept: pass", "try"),
        ("raise ValueError", "raise"),
        ("global x", "global"),
        ("async def f(): pass", "async"),
        ("await x", None),
        ("(x := 5)", ":="),
        ("print(*[1])", "a starred expression"),
        ("print(1, file=x)", None),
        ("print(1, flush=True)", "print with more"),
        ("x = {1, 2}", "a set"),
        ("x = b'a'", "a constant of type bytes"),
        ("x = 1j", "a constant of type complex"),
        ("x = ...", "a constant of type ellipsis"),
        ("x: int = 1", "an annotation"),
        ("match 1:\n  case 1: pass", "match"),
        ("__x = 1", "the name __x"),
        ("for __x in [1]: pass", "the name __x"),
        ("x.y = 1", "an attribute"),
        ("x = 1 @ 2", "this operator"),
        ("sorted([1], key=len)", None),
        ("sorted([1], reverse=True)", "sorted() with named arguments"),
        ("assert (1 == 2, 'x')", "the assertion of a tuple"),
        ("f'{(1).__class__}'", "an attribute"),
    ],
)
def test_what_a_block_does_not_need_is_refused_by_name(text: str, names: str | None) -> None:
    failed = fails(text)
    assert names is None or (failed.kind, names in failed.why) == ("refused", True), failed.why


@pytest.mark.parametrize(
    "text",
    [
        "x = 10**10**10",
        "x = 2**1000000",
        "x = (-3)**(10**9)",
        "x = 1 << 10**9",
        "x = 1 << 10**30",
        "x = 3\nfor i in range(100): x = x * x",
        "x = 7\nwhile True: x = x + x",
        "x = 'a' * 10**9",
        "x = 10**9 * 'a'",
        "x = [0] * 10**9",
        "x = (0,) * 10**12",
        "x = 'a' * 60000\nx = x + x",
        "x = 'a'\nwhile True: x = x + x",
        "x = [1]\nwhile True: x = x + x",
        "x = [1]\nwhile True: x += x",
        "x = list(range(10**9))",
        "x = list(range(10**30))",
        "x = sum(range(10**12))",
        "x = max(range(10**12))",
        "x = any(range(0, 10**12, 1)) and all(range(1, 10**12))",
        "x = 1.5 in range(10**18)",
        "x = 'a' in range(10**18)",
        "for i in range(10**12): pass",
        "x = sorted(range(10**9))",
        "x = tuple(range(10**9))",
        "x = f'{1:1000000000}'",
        "w = 1000000000\nx = f'{1:{w}}'",
        "x = f'{1.5:.1000000000f}'",
        "x = '%1000000000d' % 1",
        "x = '%.1000000000f' % 1.5",
        "x = '%*d' % (1000000000, 1)",
        "x = '%.*f' % (1000000000, 1.5)",
        "y = 'a' * 60000\nx = " + "f'" + "{y}" * 500 + "'",
        "x = round(5, -10**9)",
        "x = int('9' * 5000)",
        "x = str(10**1000) * 10**6",
        "x = [0] * 1000\ny = [x] * 1000\nz = [y] * 1000\nprint(z)",
        "x = [0]\nfor i in range(45): x = [x, x]\nprint(x)",
        "x = [0]\nfor i in range(45): x = [x, x]\nassert x == x * 1",
        "x = []\nfor i in range(10**6): x = [x]\nprint(x)",
        "while True: pass",
        "while 1:\n  for i in range(10): continue",
        "x = " + "(" * 150 + "1" + ")" * 150 + "\nwhile True: pass",
        "x = " + "+".join(["1"] * 5000),
        "x = " + "-" * 5000 + "1",
        "x = " + "not " * 4000 + "1",
        "x = " + "[" * 5000 + "]" * 5000,
        "x = " + "(" * 10000 + ")" * 10000,
        "x = " + "a." * 6000 + "a",
        "x = " + "a[" * 5000 + "0" + "]" * 5000,
        "x = " + "lambda: " * 2000 + "1",
        "x = " + "f'{" * 50 + "1" + "}'" * 50,
        "if 1:\n" + "".join([" " * i + "if 1:\n" for i in range(1, 120)]) + " " * 120 + "pass",
        "x = " + "9" * 19000,
        "x = 0x" + "f" * 19000,
        "x = '" + "a" * 30000 + "'",
        "x = '\0'",
        "x = hex(10**1200) * 1000",
        "x = 1" + "\n" * 25000 + "x = 2",
        "x = 1\n  x = 2" + "\n" * 25000 + "  x = 3",
    ],
)
def test_a_hostile_block_is_stopped_and_takes_little(text: str) -> None:
    """Memory, time, recursion: a budget of steps and of sizes bounds them all."""
    blocks = Blocks()
    failed = fails(text, blocks)
    assert failed.kind in ("code", "refused", "endless")
    assert len(failed.why) < 1000
    run("assert tcpi_snd_cwnd == 12", blocks)  # and the interpreter is as it was


def test_a_loop_that_never_ends_is_stopped_with_its_line() -> None:
    failed = fails("x = 1\nwhile x:\n  y = 2\n  z = 3\n")
    assert (failed.kind, failed.place.line) == ("endless", 11)


def test_all_blocks_of_a_script_together_have_a_budget() -> None:
    blocks = Blocks()
    for _ in range(20):
        fails("while True: pass", blocks)
    assert blocks.left == 0
    assert fails("assert True", blocks).kind == "endless"
    assert blocks.program.budget.left == 0


def test_a_thousand_rounds_are_no_hostility() -> None:
    assert BLOCK >= 100_000
    assert run("n = 0\nfor i in range(1000):\n  n += i * 2\nprint(n)") == "999000\n"


def test_what_a_message_shows_is_bounded() -> None:
    failed = fails("x = ['a' * 1000] * 10\nassert x == 1, 'm' * 5000")
    assert len(failed.why) < 700


def test_an_allowed_block_is_python() -> None:
    blocks = Blocks(allow=True)
    run("import math\nclass A:\n  x = math.pi", blocks)
    run("assert A.x > 3", blocks)
    assert fails("\nraise ValueError('no')", blocks).args == ("code", HERE._replace(line=11), "ValueError: no")
