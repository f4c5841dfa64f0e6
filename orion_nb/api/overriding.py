"""What one run of a deployment is executed with instead: another kernel, other variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from orion_nb.api import kernels
from orion_nb.api.checks import check_text
from orion_nb.errors import InvalidInput
from orion_nb.schemas import variables
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.values import evolve

if TYPE_CHECKING:
    from orion_nb.schemas.deployments import Deployment


def overridden(
    deployment: Deployment,
    policy: RunPolicy,
    kernel: str | None,
    env: Mapping[str, str] | None,
) -> RunPolicy:
    """The policy of a run with the kernel and the variables said of it; None leaves each as it is.

    Args:
        deployment: that of the run.
        policy: what was granted so far.
        kernel: its name; it has to be installed here, unless the deployment allows it not to be;
            "" is none of its own.
        env: instead of those that were said of the run before; over those of the deployment.

    Raises:
        KernelNotFound, InvalidInput: it can't be executed so.
    """
    if kernel:
        _check_kernel(deployment, kernel)
    if kernel is not None:
        policy = evolve(policy, kernel=kernel or None)
    if env is not None:
        policy = evolve(policy, env=variables.of_a_run(env))
    return policy


def check_none(policy: RunPolicy) -> None:
    """Nothing of it is for whoever executes a run, of a run that the API executes nothing for.

    Raises:
        InvalidInput: something is.
    """
    if policy.kernel is not None or policy.env:
        says = (
            "policy.kernel and policy.env: they are said of a run of a deployment, "
            "by POST /deployments/{deployment}/runs"
        )
        raise InvalidInput(says, field="policy")


def _check_kernel(deployment: Deployment, kernel: str) -> None:
    check_text("kernel", kernel)
    if deployment.flow is not None:
        says = f"kernel: {deployment.name!r} is a flow, which is run in no kernel; leave it out"
        raise InvalidInput(says, field="kernel")
    if not deployment.allow_missing_kernel:
        kernels.check_deployed(kernel, None, None)
