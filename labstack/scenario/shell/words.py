# SPDX-License-Identifier: GPL-2.0-or-later
"""Shell text to commands: words, quotes, `$PPID`, `$((...))`, redirections, `|`, `;`, `&&`, `||`, lines, comments.

The part of sh that scripts are written in; nothing is run or looked up here, and whatever else sh has is refused by
name: substitutions, other variables, loops, functions, subshells, here-documents, running in the background.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, NoReturn

PID = "1"  # what a script sees as $PPID and $PACKETDRILL_PID
VARIABLES = {"PPID": PID, "PACKETDRILL_PID": PID}
LONGEST = 100_000  # characters of a text
BOTH = 12  # the number of 1 and 2 together

_BREAK = re.compile(r"[^\S\n]+|\\\n|#[^\n]*")
_OPERATOR = re.compile(r"&&|\|\||&>>?|[0-9]?(?:<<<?|<>|<&|>&|>>|>\||<|>)|[;&|()\n]")
_PLAIN = re.compile(r"[^\s\\'\"$;&|()<>`]+")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|([A-Za-z_]\w*))")
_OF_SH = (
    "if",
    "then",
    "else",
    "fi",
    "for",
    "while",
    "until",
    "do",
    "done",
    "case",
    "esac",
    "function",
    "{",
    "}",
    "!",
    "[[",
)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")


class RefusedError(ValueError):
    """A command is none that is interpreted; str() names it. Nothing of the text has been done."""


class Redirect(NamedTuple):
    """fd: 0, 1, 2 or BOTH; target: a path, or &N."""

    fd: int
    target: str


class Simple(NamedTuple):
    """One command; forgiven: `||` stands behind it, so its author expects that it may fail."""

    words: tuple[str, ...]
    redirects: tuple[Redirect, ...] = ()
    forgiven: bool = False


class Pipeline(NamedTuple):
    """join: what stands before it: `;`, `&&` or `||`."""

    join: str
    commands: tuple[Simple, ...]


class Token(NamedTuple):
    operator: bool
    text: str


def refuse(what: str) -> NoReturn:
    """Raise RefusedError for something that sh would do."""
    raise RefusedError(f"{what} is not interpreted")


def parse(text: str, arithmetic: Callable[[str], str]) -> list[Pipeline]:
    """The pipelines of a text; arithmetic: does what stands in `$((...))`. Raises RefusedError."""
    if len(text) > LONGEST:
        refuse(f"a command of {len(text)} characters")
    tokens, found, join = list(_tokens(text, arithmetic)), [], ";"
    tokens.reverse()
    while True:
        while tokens and tokens[-1] == NEWLINE:
            tokens.pop()
        if not tokens:
            break
        commands, last = _pipeline(tokens)
        if last == "||":
            commands = [command._replace(forgiven=True) for command in commands]
        found.append(Pipeline(join, tuple(commands)))
        join = ";" if last == "\n" else last
    if join != ";":
        refuse(f"a line that ends in {join}")
    return found


NEWLINE = Token(True, "\n")


def _pipeline(tokens: list[Token]) -> tuple[list[Simple], str]:
    """The commands up to what is no `|`, and that operator."""
    commands: list[Simple] = []
    while True:
        while commands and tokens and tokens[-1] == NEWLINE:
            tokens.pop()
        command, last = _command(tokens)
        if not command.words and not command.redirects:
            refuse(f"nothing before {last!r}" if last.strip() else "a line that ends in |")
        commands.append(command)
        if last != "|":
            return commands, last


def _command(tokens: list[Token]) -> tuple[Simple, str]:
    """One command and the operator behind it."""
    words: list[str] = []
    redirects: list[Redirect] = []
    while tokens:
        token = tokens.pop()
        if not token.operator:
            words.append(token.text)
        elif token.text in (";", "\n", "|", "&&", "||"):
            return Simple(_command_words(words), tuple(redirects)), token.text
        elif token.text in ("&", "(", ")"):
            refuse("running in the background (&)" if token.text == "&" else "a subshell or function, (),")
        else:
            redirects.append(_redirect(token.text, tokens))
    return Simple(_command_words(words), tuple(redirects)), "\n"


def _command_words(words: list[str]) -> tuple[str, ...]:
    if words and words[0] in _OF_SH:
        refuse(f"'{words[0]}' of the shell")
    if words and _ASSIGNMENT.match(words[0]):
        refuse(f"the assignment {words[0].partition('=')[0]}=")
    return tuple(words)


def _redirect(operator: str, tokens: list[Token]) -> Redirect:
    if not tokens or tokens[-1].operator:
        refuse(f"{operator} without a file")
    target, kind = tokens.pop().text, operator.lstrip("0123456789")
    if kind in ("<<", "<<<", "<>", "<&"):
        refuse(f"the redirection {kind}")
    if kind in ("&>", "&>>") or (kind == ">&" and not target.isdigit()):
        return Redirect(BOTH, target)
    fd = int(operator[0]) if operator[0].isdigit() else int(kind != "<")
    if fd not in (0, 1, 2) or (kind == ">&" and target not in ("1", "2")):
        refuse(f"the redirection {operator}{target}")
    return Redirect(fd, f"&{target}" if kind == ">&" else target)


def _tokens(text: str, arithmetic: Callable[[str], str]) -> Iterator[Token]:
    at = 0
    while at < len(text):
        if gap := _BREAK.match(text, at):
            at = gap.end()
        elif operator := _OPERATOR.match(text, at):
            at = operator.end()
            yield Token(True, operator[0])
        else:
            word, at = _word(text, at, arithmetic)
            yield Token(False, word)


def _word(text: str, at: int, arithmetic: Callable[[str], str]) -> tuple[str, int]:
    """The word that begins at `at`, its quotes taken off, and where it ends."""
    found: list[str] = []
    while at < len(text):
        char = text[at]
        if plain := _PLAIN.match(text, at):
            piece, at = plain[0], plain.end()
        elif char == "'":
            piece, at = text[at + 1 : (end := _closing(text, at, "'"))], end + 1
        elif char == '"':
            piece, at = _quoted(text, at + 1, arithmetic)
        elif char == "$":
            piece, at = _expanded(text, at, arithmetic)
        elif char == "\\":
            piece, at = text[at + 1 : at + 2].replace("\n", ""), at + 2
        elif char == "`":
            refuse("a command within a command")
        else:
            break
        found.append(piece)
    return "".join(found), at


def _quoted(text: str, at: int, arithmetic: Callable[[str], str]) -> tuple[str, int]:
    """What stands between double quotes, and where that ends."""
    found: list[str] = []
    while at < len(text) and text[at] != '"':
        if text[at] == "$":
            piece, at = _expanded(text, at, arithmetic)
        elif text[at] == "`":
            refuse("a command within a command")
        elif text[at] == "\\" and text[at + 1 : at + 2] in ('"', "$", "`", "\\", "\n"):
            piece, at = text[at + 1].replace("\n", ""), at + 2
        else:
            piece, at = text[at], at + 1
        found.append(piece)
    if at >= len(text):
        refuse("a quote that does not end")
    return "".join(found), at + 1


def _closing(text: str, at: int, quote: str) -> int:
    end = text.find(quote, at + 1)
    if end < 0:
        refuse("a quote that does not end")
    return end


def _expanded(text: str, at: int, arithmetic: Callable[[str], str]) -> tuple[str, int]:
    """What `$...` stands for, and where it ends."""
    if text.startswith("$((", at):
        end = text.find("))", at)
        if end < 0:
            refuse("$(( without ))")
        return arithmetic(text[at + 3 : end]), end + 2
    if text.startswith("$(", at):
        refuse("a command within a command, $(...),")
    name = _VARIABLE.match(text, at)
    if name is None:
        if text[at + 1 : at + 2] in ("", " ", '"', "\n"):
            return "$", at + 1
        refuse(f"'{text[at : at + 10]}'")
    if (name[1] or name[2]) not in VARIABLES:
        refuse(f"the variable {name[0]}")
    return VARIABLES[name[1] or name[2]], name.end()
