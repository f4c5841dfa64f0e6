"""The process in which a notification calls a function, or apprise; what to tell is on stdin."""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any


def main() -> int:
    """`python -m orion_nb.deployments.called`: stdin is {"call" | "apprise", "payload"}."""
    told = json.load(sys.stdin)
    payload = told["payload"]
    return _call(told["call"], payload) if "call" in told else _apprise(told["apprise"], payload)


def _call(target: str, payload: dict[str, Any]) -> int:
    module, _, name = target.partition(":")
    function = getattr(importlib.import_module(module), name)
    function(payload)
    return 0


def _apprise(urls: list[str], payload: dict[str, Any]) -> int:
    try:
        import apprise
    except ImportError:
        sys.exit("apprise is not installed; pip install 'orion-nb[notify]'")
    data = payload["data"]
    sender = apprise.Apprise()
    for number, url in enumerate(urls, 1):
        if not sender.add(url):
            sys.exit(f"apprise does not know the address number {number}")
    kinds = {"completed": "success", "recovered": "success", "late": "warning", "test": "info"}
    kind = kinds.get(data["condition"], "failure" if _is_bad(data) else "info")
    taken = sender.notify(body=data["text"], title=data["title"], notify_type=kind)
    return 0 if taken else 1


def _is_bad(data: dict[str, Any]) -> bool:
    return data["condition"] in ("failed", "crashed", "cancelled")


if __name__ == "__main__":
    sys.path.insert(0, "")  # modules beside the server's notebooks are found, as by `python -c`
    sys.exit(main())
