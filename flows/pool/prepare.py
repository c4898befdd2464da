"""Makes a Prefect server ready for several workers: `python -m flows.pool.prepare`, in a clone, once for each commit.

The work pool, the deployment `style` of `prefect.yaml` at this commit, and the rule by which a run whose worker has
died is given to another one. Doing it again puts the new ones in place of the old ones.
"""

from flows.machine.environment import WORKSPACE  # first: the tools read their settings when they are imported

# isort: split

import argparse
import os
import subprocess
import sys
from datetime import timedelta

from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound

from flows.machine import git
from flows.pool.clone import CloneError, changed_code
from flows.pool.work import DEPLOYMENT, POOL, WORKER_ERRORS, check_server
from flows.runs.console import guarded

AUTOMATION = "animegan-lite: a dead worker's run goes to another"
SILENCE = 90  # seconds without a heartbeat, of which there is one every 30, after which a worker is taken for dead
ENDED = ("Completed", "Cached", "Failed", "Cancelled", "Cancelling", "Crashed", "Scheduled", "AwaitingRetry")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m flows.pool.prepare", description=__doc__.splitlines()[0])
    parser.add_argument("--pool", default=POOL, help="name of the work pool (default: %(default)s)")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    arguments = parser.parse_args()
    return guarded(lambda: _main(arguments.pool), WORKER_ERRORS, arguments.debug)


def _main(pool: str) -> int:
    check_server()
    commit, problem = git.commit(WORKSPACE)
    if problem:
        raise CloneError(f"no commit to deploy: {problem}")
    if changed := changed_code(WORKSPACE):
        raise CloneError(f"no other clone has what is not committed ({', '.join(changed[:3])}): commit it first")
    make_pool(pool)
    deploy(pool, commit)
    watch_heartbeats()
    print(f"{DEPLOYMENT} is deployed at {commit[:10]}; workers: python -m flows.pool.work, each in a clone of its own")
    return 0


def make_pool(name: str) -> None:
    with get_client(sync_client=True) as client:
        try:
            client.read_work_pool(name)
        except ObjectNotFound:
            client.create_work_pool(WorkPoolCreate(name=name, type="process"))


def deploy(pool: str, commit: str) -> None:
    """What `prefect.yaml` says of the deployment. Raises `CloneError` with what Prefect said."""
    command = [
        sys.executable,
        "-m",
        "prefect",
        "--no-prompt",
        "deploy",
        "--name",
        DEPLOYMENT.partition("/")[2],
        "--pool",
        pool,
    ]
    environment = os.environ | {"ANIME_COMMIT": commit}
    done = subprocess.run(command, cwd=WORKSPACE, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["it failed without a word"]
        raise CloneError(f"prefect deploy: {lines[-1]}")


def watch_heartbeats() -> None:
    """A run whose heartbeats stop before it has ended is scheduled again, for any worker of its pool."""
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(DEPLOYMENT)
        for old in client.read_automations_by_name(AUTOMATION):
            client.delete_automation(old.id)
        client.create_automation(rule(f"prefect.deployment.{deployment.id}"))


def rule(deployment: str) -> AutomationCore:
    alive = "prefect.flow-run.heartbeat"
    return AutomationCore(
        name=AUTOMATION,
        trigger=EventTrigger(
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=ResourceSpecification({"prefect.resource.id": deployment}),
            for_each={"prefect.resource.id"},
            after={alive},
            expect={alive, *(f"prefect.flow-run.{state}" for state in ENDED)},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=SILENCE),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.SCHEDULED,
                name="AwaitingRetry",
                message="its worker has died: another one takes it up",
                force=True,
            )
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
