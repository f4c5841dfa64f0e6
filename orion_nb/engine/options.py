"""The options of `@flow` and `@task`, checked when the function is decorated."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from orion_nb.api.checks import check_text, read_concurrency, read_policy, read_tags
from orion_nb.engine.context import here
from orion_nb.engine.lead import describe
from orion_nb.engine.recall import was_called
from orion_nb.errors import InvalidInput, ParameterError
from orion_nb.schemas.durations import seconds
from orion_nb.schemas.policies import TRIGGERS, RunPolicy
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import State
from orion_nb.schemas.values import frozen

Retriable = type[BaseException] | tuple[type[BaseException], ...] | Callable[[BaseException], bool]
#: Is asked with the final states of all upstream runs; the task runs if it says so.
TriggerFunction = Callable[[list[State]], bool]
#: Is called with the run and the report after each state that was proposed.
OnChange = Callable[[Run, Report], None]

#: All options there are: first those that most people need.
_OPTIONS = (
    "name retries retry_delay retry_on timeout tags trigger run_name cache cache_key persist "
    "concurrency retry_backoff retry_delay_max retry_jitter retry_crashes cache_refresh "
    "rerun_from rerun_max rerun_on sla sla_start sla_action on_change frames"
).split()

#: Options that become part of the run's policy as they are.
_PLAIN = (
    "retries retry_delay retry_backoff retry_delay_max retry_jitter retry_crashes timeout trigger "
    "cache_refresh concurrency sla sla_start sla_action rerun_from rerun_max"
).split()


@frozen
class Options:
    """How the runs of a flow or task are named, what the rules may grant them."""

    name: str
    policy: RunPolicy
    retry_on: Retriable = Exception
    tags: tuple[str, ...] = ()
    run_name: str | None = None
    key: str | None = None
    trigger: TriggerFunction | None = None
    cache: bool = False
    cache_key: str | Callable[[dict[str, Any]], Any] | None = None
    #: True: results of any size are kept; False: none; None: those up to 1 MiB.
    persist: bool | None = None
    rerun_on: Retriable = Exception
    on_change: tuple[OnChange, ...] = ()
    #: A failure keeps what the names of its frames held; None: if the settings say so.
    frames: bool | None = None

    def retriable(self, error: BaseException) -> bool:
        """The rules may try again after this error; wrong parameters stay wrong."""
        if not isinstance(error, Exception) or isinstance(error, ParameterError):
            return False
        chosen = self.retry_on
        if self.policy.rerun_from is not None:
            orion, parent, around = here("task")
            if parent is not None:  # the flow around goes back, if it can
                if around is None or not was_called(orion, parent, self.policy.rerun_from):
                    return False
                chosen = self.rerun_on
        if isinstance(chosen, type | tuple):
            return isinstance(error, chosen)
        try:
            return bool(chosen(error))
        except Exception as trouble:
            option = "retry_on" if chosen is self.retry_on else "rerun_on"
            error.add_note(f"not tried again: {option} raised {describe(trouble)}")
            return False


def options_of(fn: Callable[..., Any], **told: Any) -> Options:
    """The options of a decorator, checked.

    Raises:
        InvalidInput: naming the option, its value and what it may be.
    """
    if unknown := set(told).difference(_OPTIONS):
        raise InvalidInput(f"{min(unknown)}: not known; there are {', '.join(_OPTIONS)}")
    told = {name: value for name, value in told.items() if value is not None}
    plain = inspect.unwrap(fn.func if isinstance(fn, functools.partial) else fn)
    name: str = told.get("name") or getattr(plain, "__name__", None) or type(fn).__name__
    check_text("name", name)
    tags = read_tags(told.get("tags"))
    if (run_name := told.get("run_name")) is not None:
        check_text("run_name", run_name)
    for option in ("retry_on", "rerun_on"):
        _check_retry_on(option, told.get(option, Exception))
    policy, trigger = _policy(told)
    cache, cache_key = _cache(told)
    key = f"{_module_of(plain)}.{getattr(plain, '__qualname__', name)}"
    return Options(
        name, policy, told.get("retry_on", Exception), tags, run_name, key, trigger, cache,
        cache_key, _persist(told), told.get("rerun_on", Exception), _on_change(told), _frames(told),
    )  # fmt: skip


def revise(options: Options, changes: dict[str, Any]) -> Options:
    """The options with some of them changed, checked in the same way."""
    policy = options.policy.as_json()
    told = {name: policy[name] for name in _PLAIN}
    told["trigger"] = options.trigger or policy["trigger"]
    if options.cache:
        told["cache"] = True if options.policy.cache_expires is None else policy["cache_expires"]
    told |= {
        "name": options.name, "tags": options.tags, "retry_on": options.retry_on,
        "run_name": options.run_name, "cache_key": options.cache_key, "persist": options.persist,
        "rerun_on": options.rerun_on, "on_change": options.on_change, "frames": options.frames,
    }  # fmt: skip
    if "cache" in changes and not changes["cache"]:
        told["cache_key"] = None
    return replace(options_of(revise, **{**told, **changes}), key=options.key)


def _module_of(function: Any) -> str:
    """The module as others import it: a script that is run has the name of its file."""
    module: str = getattr(function, "__module__", None) or ""
    if module != "__main__":
        return module
    main = sys.modules["__main__"]
    if (spec := getattr(main, "__spec__", None)) is not None:
        return str(spec.name)
    path = getattr(main, "__file__", None)  # a notebook has none
    return Path(path).stem if path else module


def _policy(told: dict[str, Any]) -> tuple[RunPolicy, TriggerFunction | None]:
    policy = {name: told[name] for name in _PLAIN if name in told}
    trigger = policy.get("trigger")
    function = trigger if callable(trigger) else None
    if function is not None:
        policy["trigger"] = "function"
    elif trigger is not None and trigger not in TRIGGERS:
        says = f"one of {', '.join(TRIGGERS[:3])}, or a function of the upstream states"
        raise InvalidInput(f"trigger: {trigger!r} is not {says}", field="trigger")
    elif trigger == "function":
        raise InvalidInput("trigger: give the function itself, not its kind", field="trigger")
    if "concurrency" in policy:
        policy["concurrency"] = read_concurrency(policy["concurrency"])
    if told.get("cache") not in (None, True, False):
        policy["cache_expires"] = _expiry(told["cache"])
    read = read_policy(policy, at="")
    if read.timeout == 0:
        raise InvalidInput(f"timeout: {told['timeout']!r} leaves no time at all", field="timeout")
    return read, function


def _expiry(cache: Any) -> float:
    expires = seconds(cache, field="cache")
    if expires == 0:
        raise InvalidInput(f"cache: {cache!r} keeps no result at all", field="cache")
    return expires


def _cache(told: dict[str, Any]) -> tuple[bool, Any]:
    cache, key = told.get("cache"), told.get("cache_key")
    if cache is None and key is not None:
        cache = True
    if not cache:
        if key is not None:
            raise InvalidInput("cache_key: there is no cache to use it for", field="cache_key")
        return False, None
    if key is not None and not isinstance(key, str) and not callable(key):
        says = "a text, or a function of the arguments"
        raise InvalidInput(f"cache_key: {key!r} is not {says}", field="cache_key")
    return True, key


def _persist(told: dict[str, Any]) -> bool | None:
    persist = told.get("persist")
    if persist is not None and not isinstance(persist, bool):
        raise InvalidInput(f"persist: {persist!r} is not True, False or None", field="persist")
    if persist is False and told.get("cache"):
        raise InvalidInput("persist: what is cached has to be kept", field="persist")
    return persist


def _on_change(told: dict[str, Any]) -> tuple[OnChange, ...]:
    given = told.get("on_change", ())
    calls = tuple(given) if isinstance(given, Sequence) else (given,)
    if not all(callable(each) for each in calls):
        raise InvalidInput(f"on_change: {given!r} is no function", field="on_change")
    return calls


def _frames(told: dict[str, Any]) -> bool | None:
    frames = told.get("frames")
    if frames is not None and not isinstance(frames, bool):
        raise InvalidInput(f"frames: {frames!r} is not True, False or None", field="frames")
    return frames


def _check_retry_on(option: str, chosen: Any) -> None:
    classes = chosen if isinstance(chosen, tuple) else (chosen,)
    if all(isinstance(each, type) and issubclass(each, BaseException) for each in classes):
        return
    if isinstance(chosen, tuple | type) or not callable(chosen):
        says = "an exception class, a tuple of them, or a function of the exception"
        raise InvalidInput(f"{option}: {chosen!r} is not {says}", field=option)
