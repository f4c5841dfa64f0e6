"""What Output widgets capture: outputs of a cell that are shown in a widget, not below the cell.

Their messages are those of ipywidgets (https://ipywidgets.readthedocs.io, "Jupyter widgets
messaging protocol"); JupyterLab and nbclient do with them as is done here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jupyter_client.client import KernelClient
from jupyter_client.manager import KernelManager
from jupyter_client.session import Session
from nbformat import NotebookNode, ValidationError
from nbformat.v4 import output_from_msg

from orion_nb.deployments.outputs import Outputs, Shown, Streams, check_depth

Json = dict[str, Any]


class Capture:
    """An Output widget: what cells show while they are within it, so much as of a cell is kept.

    When a cell leaves it, `tell` says to the kernel what it shows: Python code may ask for it.
    """

    def __init__(
        self,
        state: Json,
        hooks: dict[str, list[Any]],
        tell: Callable[[Json], None],
        streams: Callable[[], Streams] = Streams,
        shown: Callable[[], Shown] = Shown,
    ) -> None:
        self.state = state
        self.outputs: Outputs = []
        self._hooks, self._tell = hooks, tell
        self._new_streams, self._new_shown = streams, shown
        self._within = ""
        self._waits = False
        self._set(state.get("outputs"))
        self._enter(state.get("msg_id"))

    def settle(self) -> None:
        """The printed text is among its outputs."""
        self._streams.settle()
        self.state["outputs"] = self.outputs

    # -- what nbclient calls ---------------------------------------------------------------------

    def handle_msg(self, msg: Json) -> None:
        """The kernel says what it is to show, or that a cell has entered or left it."""
        told = msg["content"]["data"].get("state") or {}
        if "outputs" in told:
            self._set(told["outputs"])
        if "msg_id" in told:
            self._enter(told["msg_id"])

    def output(self, outs: Outputs, msg: Json, display_id: str | None, cell_index: int) -> None:
        if self._waits:
            self._set(())
        if msg["msg_type"] == "stream":
            self._streams.add(self.outputs, msg["content"]["name"], msg["content"]["text"])
        elif not self._shown.is_full(self.outputs):
            made = _made_of(msg)
            if made is not None:
                self._shown.trim(made)
                self.outputs.append(made)

    def clear_output(self, outs: Outputs, msg: Json, cell_index: int) -> None:
        self._waits = bool(msg["content"].get("wait"))
        if not self._waits:
            self._set(())

    # --------------------------------------------------------------------------------------------

    def _set(self, outputs: Any) -> None:
        given = outputs if isinstance(outputs, list | tuple) else ()
        self.outputs = [NotebookNode(each) for each in given if isinstance(each, dict)]  # type: ignore[no-untyped-call]
        self._streams, self._shown = self._new_streams(), self._new_shown()
        self._waits = False

    def _enter(self, cell: Any) -> None:
        """A cell, named by the message that executes it, is within; none if that is empty."""
        if self._within:
            hooks = self._hooks[self._within]
            if self in hooks:
                hooks.remove(self)
            self.settle()
            self._tell({"outputs": self.outputs})
        self._within = cell if isinstance(cell, str) else ""
        if self._within:
            self._hooks[self._within].append(self)


class Beside:
    """A connection to a kernel by which widgets are told what they show.

    What is sent by the socket on which the reply to a cell is awaited can leave a reply unseen that
    comes at that moment.
    """

    def __init__(self, manager: KernelManager) -> None:
        self._client: KernelClient = manager.client()
        # Replies go to whom the session names: with that of the manager's other client, to either.
        known = manager.session
        self._client.session = Session(key=known.key, signature_scheme=known.signature_scheme)
        self._client.start_channels(iopub=False, stdin=False, hb=False, control=False)

    def tell(self, model: str, state: Json) -> None:
        """The kernel is told the state of a model, as a front end tells it."""
        data = {"method": "update", "state": state, "buffer_paths": []}
        message = self._client.session.msg("comm_msg", {"comm_id": model, "data": data})
        self._client.shell_channel.send(message)

    def close(self) -> None:
        self._client.stop_channels()


def _made_of(msg: Json) -> NotebookNode | None:
    try:
        check_depth(msg)
        made: NotebookNode = output_from_msg(msg)  # type: ignore[no-untyped-call]
    except (ValueError, ValidationError, RecursionError):
        return None  # the message is no output, or none that a notebook can hold
    return made
