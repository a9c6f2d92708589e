"""Whether a line of text is a command of this kit: asked of the command tree itself, so that no list can go stale.

typer may bring a click of its own, so nothing here names click's classes: a group is what has `commands`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from typing import Any

import typer.main

_HELP = ("-h", "--help")


def refusal_of(line: str, *, is_mention: bool = False) -> str | None:
    """How to mend `sre drain "$REPLICA" --grace 30`; None when each verb and option is there and arguments are enough.

    Values are not looked at: in a page they are variables or stand for something (`<n>`). `is_mention`: it is named in
    a sentence, where arguments and an option's value may be left out.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        return f"mend its quotes ({error})"
    command, words, said = _tree(), words[1:], "sre"
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        name, words = words[0], words[1:]
        if name not in command.commands:
            return f"`{said}` has no verb {name!r}: {_nearest(name, command.commands)}"
        command, said = command.commands[name], f"{said} {name}"
    return _misfit(command, words, said, is_mention)


def _misfit(command: Any, words: list[str], said: str, is_mention: bool) -> str | None:
    options = {text: one for one in command.params for text in (*one.opts, *one.secondary_opts) if text.startswith("-")}
    given, rest = [], list(words)
    while rest:
        word = rest.pop(0)
        name, has_value, _ = word.partition("=")
        if name in _HELP or not word.startswith("-") or word == "-":
            given += [] if name in _HELP else [word]
        elif name not in options:
            return f"`{said}` has no option {name}: {_nearest(name, options)}"
        elif not has_value and not options[name].is_flag:
            if not rest and not is_mention:
                return f"{name} of `{said}` needs a value: give one"
            del rest[:1]
    if hasattr(command, "commands"):
        return None if is_mention or words else f"`{said}` needs a verb: {_nearest('', command.commands)}"
    return _count(command, given, said, is_mention)


def _count(command: Any, given: list[str], said: str, is_mention: bool) -> str | None:
    """Whether there are as many arguments as the verb takes."""
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    takes_many = any(one.nargs == -1 for one in arguments)
    if not takes_many and len(given) > sum(one.nargs for one in arguments):
        return f"`{said}` takes {len(arguments)} argument(s), here are {len(given)}: leave some out, or quote them"
    needed = sum(one.nargs for one in arguments if one.required and one.nargs > 0)
    if len(given) < needed and not is_mention:
        names = ", ".join((one.metavar or one.name or "").upper() for one in arguments if one.required)
        return f"`{said}` needs {names}: give it"
    return None


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"did you mean `{near[0]}`?" if near else f"use one of {', '.join(known)}"


@cache
def _tree() -> Any:
    from sre.cli.app import app

    return typer.main.get_command(app)
