"""What a kernel says while a cell is executed, taken into the notebook and its journal."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from jupyter_client.client import KernelClient
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete
from nbformat import NotebookNode, ValidationError

from orion_nb.deployments.capturing import Beside, Capture
from orion_nb.deployments.floods import room
from orion_nb.deployments.kept import KeptNotebook
from orion_nb.deployments.outputs import SHOWN, Outputs, Shown, Streams, check_depth
from orion_nb.deployments.widgets import STATE, is_ours, kept_with
from orion_nb.secrets import Unbroken, redacted_json

#: Seconds that outputs may lag behind the reply to a cell.
LAG = 60
#: The module and the name of the model of Output widgets, for nbclient's register.
OUTPUT = "@jupyter-widgets/output", "OutputModel"

#: What a kernel shows may be no output that a notebook can hold.
UNFIT = (ValidationError, RecursionError)

log = logging.getLogger(__name__)


class Taking(NotebookClient):
    """A client of a kernel that takes its outputs into a kept notebook, so many of each cell."""

    def __init__(self, kept: KeptNotebook, output_limit: int | None = None, **options: Any) -> None:
        super().__init__(kept.nb, iopub_timeout=LAG, **options)
        self.widget_registry = {OUTPUT[0]: {OUTPUT[1]: self._captures}}
        self.beside: Beside | None = None
        self.kept = kept
        kept.settle = self.settle
        self.streams: dict[int, Streams] = {}
        self.shown: dict[int, Shown] = {}
        self._room = room(output_limit)
        self._shown_room = output_limit or SHOWN
        #: What the cell at work prints, since it showed something else.
        self._printing: tuple[int, str, Unbroken] | None = None
        #: The kernel has told that it is idle again: all outputs of the cell have come.
        self.is_idle = True
        #: How the kernel names itself in its messages; another name is another kernel's.
        self.session: str | None = None
        self.restarted = False

    def settle(self) -> None:
        """The printed text is in the notebook, and so are the widgets that it shows."""
        for streams in self.streams.values():
            streams.settle()
        if self.widget_state:
            self._keep_widgets()

    def end_cell(self, cell: NotebookNode, index: int) -> None:
        """The cell's outputs are complete; if they may not be, they say so."""
        self.say_rest()
        if index in self.streams:
            self.streams.pop(index).settle()
        self.shown.pop(index, None)
        if not self.is_idle:
            told = f"the output may be cut off: it did not end within {LAG} s"
            self._say(cell.outputs, index, told)

    def _say(self, outs: Outputs, index: int, told: str) -> None:
        """Beside the cell's outputs stands what we have to say of them."""
        made = NotebookNode(output_type="stream", name="stderr", text=f"… {told} …\n")  # type: ignore[no-untyped-call]
        outs.append(made)
        self.kept.journal.write("add", index, output=made)

    def save_if_due(self) -> None:
        """A notebook that can't be saved now may be at the end: the cells are executed."""
        try:
            self.kept.save_if_due()
        except OSError:
            log.warning("%s can't be saved", self.kept.path, exc_info=True)

    def leave_widgets(self) -> None:
        """No widget is told anything any more."""
        if self.beside is not None:
            self.beside.close()

    # -- what nbclient calls for messages of the kernel --------------------------------------------

    async def _async_poll_output_msg(
        self, parent_msg_id: str, cell: NotebookNode, cell_index: int
    ) -> None:
        self.is_idle = False
        await self._take(parent_msg_id, cell, cell_index)
        self.is_idle = True

    async def _take(self, parent_msg_id: str, cell: NotebookNode, cell_index: int) -> None:
        assert self.kc is not None
        while True:
            msg = await self.kc.iopub_channel.get_msg(timeout=None)
            if msg["parent_header"].get("msg_id") == parent_msg_id:
                try:
                    self.process_message(msg, cell, cell_index)
                except CellExecutionComplete:
                    return
            elif self._is_of_a_new_kernel(msg):
                self.restarted = True
                assert self.task_poll_for_reply is not None
                self.task_poll_for_reply.cancel()
                return

    def _is_of_a_new_kernel(self, msg: dict[str, Any]) -> bool:
        """The kernel's process has become another kernel, which knows nothing of this notebook."""
        is_other = self.session is not None and msg["header"].get("session") != self.session
        starts = msg["content"].get("execution_state") == "starting"
        return is_other and (msg["msg_type"] == "iopub_welcome" or starts)

    def output(
        self, outs: Outputs, msg: dict[str, Any], display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        self.kept.touch()
        if self.output_hook_stack[msg["parent_header"].get("msg_id")]:
            return super().output(outs, msg, display_id, cell_index)  # a widget captures it
        if self.clear_before_next_output:
            self._clear(outs, cell_index)
        if msg["msg_type"] == "stream":
            self._print(outs, msg["content"], cell_index)
            return None
        self.say_rest()
        if not self.shown.setdefault(cell_index, Shown(self._shown_room)).is_full(outs):
            return self._show(outs, msg, display_id, cell_index)
        return None

    def _print(self, outs: Outputs, content: dict[str, Any], index: int) -> None:
        """What is printed is kept, but for what may be the beginning of a secret."""
        name = content["name"]
        if self._printing is None or self._printing[:2] != (index, name):
            self.say_rest()
            self._printing = index, name, Unbroken()
        if text := self._printing[2].add(content["text"]):
            self._keep_text(outs, name, text, index)

    def say_rest(self) -> None:
        """Nothing follows what was held back of a stream: it is kept."""
        if self._printing is not None:
            index, name, held = self._printing
            self._printing = None
            if text := held.rest():
                self._keep_text(self.nb["cells"][index]["outputs"], name, text, index)

    def _keep_text(self, outs: Outputs, name: str, text: str, index: int) -> None:
        self.streams.setdefault(index, Streams(*self._room)).add(outs, name, text)
        self.kept.journal.write("text", index, name=name, text=text)
        cell = self.kept.progress.at(index)
        self.kept.printed.add(cell.number or 0, name, text)
        cell.output_bytes += len(text)
        if self.kept.journal.is_large:
            self.save_if_due()

    def _show(
        self, outs: Outputs, msg: dict[str, Any], display_id: str | None, index: int
    ) -> NotebookNode | None:
        try:
            check_depth(msg)
            made = super().output(outs, msg, display_id, index)
        except UNFIT as error:
            self._say(outs, index, f"an output can't be kept: {_told(error)}")
            return None
        if made is not None:
            _blot(made)
            self.kept.progress.at(index).output_bytes += self.shown[index].trim(made)
            self.kept.journal.write("add", index, output=made)
        return made

    def _update_display_id(self, display_id: str, msg: dict[str, Any]) -> None:
        try:
            check_depth(msg)
            super()._update_display_id(display_id, msg)
        except UNFIT as error:
            log.warning("an output can't be kept: %s", _told(error))
            return
        self.kept.touch()
        for index, places in self._display_id_map.get(display_id, {}).items():
            outputs = self.nb["cells"][index]["outputs"]
            for at in places:
                _blot(outputs[at])
                Shown(self._shown_room).trim(outputs[at])
                self.kept.journal.write("set", index, at=at, output=outputs[at])

    def clear_display_id_mapping(self, cell_index: int) -> None:
        """The outputs of a cell were cleared."""
        super().clear_display_id_mapping(cell_index)
        self._printing = None  # and what was held back with them
        self.kept.journal.write("clear", cell_index)
        self.shown.pop(cell_index, None)
        if cell_index in self.streams:
            self.streams[cell_index].clear()

    def _clear(self, outs: Outputs, index: int) -> None:
        """The clearing that was to wait for the next output."""
        outs[:] = []
        self.clear_display_id_mapping(index)
        self.clear_before_next_output = False

    def handle_comm_msg(self, outs: Outputs, msg: dict[str, Any], cell_index: int) -> None:
        """A widget is opened, changed or closed. One that isn't as ipywidgets has them is none."""
        name = msg["content"].get("comm_id")
        if msg["msg_type"] == "comm_close":
            for known in (self.widget_state, self.widget_buffers, self.comm_objects):
                known.pop(name, None)
        elif name in self.widget_state or _opens_widget(msg):
            self.kept.touch()
            try:
                super().handle_comm_msg(outs, msg, cell_index)
            except (LookupError, TypeError, ValueError, AttributeError):
                log.warning("the message of a widget can't be read", exc_info=True)

    # --------------------------------------------------------------------------------------------

    def _keep_widgets(self) -> None:
        for each in self.comm_objects.values():
            each.settle()
        models = {
            name: self._serialize_widget_state(state)
            | (
                {"buffers": [*buffers.values()]}
                if (buffers := self.widget_buffers.get(name))
                else {}
            )
            for name, state in self.widget_state.items()
        }
        self.nb["metadata"].pop("widgets", None)
        if kept := kept_with(self.nb, models):
            told = {"state": kept, "version_major": 2, "version_minor": 0}
            self.nb["metadata"]["widgets"] = {STATE: told}

    def _captures(
        self, name: str, state: dict[str, Any], kc: KernelClient, executor: Any
    ) -> Capture:
        """What nbclient calls when an Output widget is opened."""
        if self.beside is None:
            assert self.km is not None
            self.beside = Beside(self.km)
        tell = partial(self.beside.tell, name)
        streams, shown = partial(Streams, *self._room), partial(Shown, self._shown_room)
        return Capture(self.widget_state[name], self.output_hook_stack, tell, streams, shown)


def _opens_widget(msg: dict[str, Any]) -> bool:
    content = msg["content"]
    data = content.get("data")
    state = data.get("state") if isinstance(data, dict) else None
    is_widget = msg["msg_type"] == "comm_open" and content.get("target_name") == "jupyter.widget"
    return is_widget and isinstance(state, dict) and not is_ours(state)


def _told(error: Exception) -> str:
    return str(getattr(error, "message", error)).partition("\n")[0][:300]


def _blot(output: NotebookNode) -> None:
    """No secret is in it: before it is cut, which might leave the half of one."""
    for name in ("ename", "evalue", "traceback"):
        if name in output:
            output[name] = redacted_json(output[name])
    data = output.get("data", {})
    for kind in list(data):
        data[kind] = redacted_json(data[kind], keys=True)
