"""A prompt over the frames that were kept of a failure: they are looked at, nothing is executed.

Its words are those of the Python debugger, as far as they make sense of what is over.
"""

from __future__ import annotations

import builtins
import cmd
import pprint
from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import Any

from orion_nb.engine.replaying import Frame
from orion_nb.errors import OrionError
from orion_nb.store.previews import said

HELP = """\
w(here)         the frames, the innermost last
u(p), d(own)    to the frame around this one, or within it; `u 2` two of them
l(ist), ll      the source around the line; all that was kept of it
a(rgs)          the names of the frame, as they were
p, pp EXPR      a value, or what Python makes of such values; p is the default
q(uit)          leave
What was kept is decoded when it is asked for, a copy each time: nothing you do here changes it."""
#: Lines shown around the one that raised.
AROUND = 5


class Browser(cmd.Cmd):
    """The prompt; `user_ns` is where functions and modules are found that a snapshot has not."""

    prompt = "frames> "

    def __init__(self, frames: Sequence[Frame], error: str, user_ns: Mapping[str, Any]) -> None:
        super().__init__()
        self._frames, self._error, self._user_ns = list(frames), error, dict(user_ns)
        self._at = len(self._frames) - 1

    def preloop(self) -> None:
        """It begins where it raised."""
        self._say(self._error)
        self._show()

    def do_where(self, _: str) -> None:
        """The frames, the innermost last."""
        for at, each in enumerate(self._frames):
            mark = ">" if at == self._at else " "
            self._say(f"{mark} {each.function} ({each.file}:{each.line})")

    def do_up(self, count: str) -> None:
        """To the frame around this one."""
        self._move(-_number(count))

    def do_down(self, count: str) -> None:
        """To the frame within this one."""
        self._move(_number(count))

    def do_list(self, _: str) -> None:
        """The source around the line."""
        self._list(AROUND)

    def do_ll(self, _: str) -> None:
        """All that was kept of the source."""
        self._list(None)

    def do_args(self, _: str) -> None:
        """The names of the frame, as they were."""
        self._say(repr(self._frame.locals))

    def do_p(self, text: str) -> None:
        """A value, or what Python makes of such values."""
        self._print(text, repr)

    def do_pp(self, text: str) -> None:
        """The same, in lines that are not too long."""
        self._print(text, pprint.pformat)

    def do_help(self, _: str) -> None:
        """What can be typed."""
        self._say(HELP)

    def do_quit(self, _: str) -> bool:
        """Leave."""
        return True

    do_w = do_bt = do_where
    do_u, do_d, do_l, do_a = do_up, do_down, do_list, do_args
    do_q = do_exit = do_quit

    def do_EOF(self, _: str) -> bool:  # noqa: N802 - so it is called by cmd
        """The input has ended."""
        return True

    def emptyline(self) -> bool:
        """Nothing was typed, and nothing is done."""
        return False

    def default(self, line: str) -> None:
        """Whatever is no word of ours is a value to look at; `!total` is one that is named so."""
        self._print(line.removeprefix("!"), repr)

    @property
    def _frame(self) -> Frame:
        return self._frames[self._at]

    def _move(self, by: int) -> None:
        to = self._at + by
        if not 0 <= to < len(self._frames):
            self._say("*** this is the outermost frame" if by < 0 else "*** this is the innermost")
            return
        self._at = to
        self._show()

    def _show(self) -> None:
        frame = self._frame
        self._say(f"> {frame.function} ({frame.file}:{frame.line})")
        self._list(0)

    def _list(self, around: int | None) -> None:
        frame = self._frame
        lines = frame.source.splitlines()
        if not lines:
            self._say("(its source was not kept)")
        for number, line in enumerate(lines, frame.first):
            if around is None or abs(number - frame.line) <= around:
                self._say(f"{number:5} {'->' if number == frame.line else '  '} {line}")

    def _print(self, text: str, show: Any) -> None:
        scope: Any = ChainMap(self._frame.locals, self._user_ns)  # type: ignore[arg-type]
        try:
            self._say(show(eval(text.strip(), {"__builtins__": builtins}, scope)))
        except OrionError as error:
            self._say(f"*** {error}")
        except Exception as error:  # it is the user's expression
            self._say(f"*** {said(error)}")

    def _say(self, text: str) -> None:
        print(text)  # noqa: T201 - the prompt answers


def _number(text: str) -> int:
    return max(1, int(text)) if text.strip().isdecimal() else 1
