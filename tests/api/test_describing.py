"""The options of a deployment as data: each says a field, and how it is written."""

from __future__ import annotations

from typing import get_type_hints

from orion_nb.schemas.fields import DeploymentFields


def test_every_field_of_a_deployment_is_described(orion):
    told = orion.deployment_options()
    described = {each["field"]: each for each in told["options"]}
    assert set(described) == {*get_type_hints(DeploymentFields), "paused"}
    assert described["overlap"]["words"] == ["allow", "queue", "skip", "cancel_running"]
    takes = {name: described[name]["takes"] for name in ("timeout", "env", "concurrency", "tags")}
    assert takes == {"timeout": "duration", "env": "pairs", "concurrency": "limits", "tags": "list"}
    assert described["retries"]["takes"] == "whole"
    assert described["paused"]["takes"] == "flag"


def test_the_names_that_may_stand_there_are_told(orion):
    orion.set_limit("database", 2)
    names = orion.deployment_options()["names"]
    assert names["limits"] == ["database"]
    assert "python3" in names["kernels"]
    assert "Europe/Prague" in names["zones"]
