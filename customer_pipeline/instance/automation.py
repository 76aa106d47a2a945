"""What makes runs start by themselves: daemons, schedules, sensors, and the code location that holds them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from customer_pipeline.instance.graphql import GraphQL
from customer_pipeline.instance.runs import instant

SCHEDULE = "customer_sync_schedule"
HEAL_SENSOR = "heal_gaps"
# Off until somebody switches them on: nobody misses them.
OPTIONAL = frozenset({"customer_reconciliation_schedule"})

HEARTBEAT_IS_LATE_AFTER = timedelta(minutes=5)

_STATE = """status ticks(limit: 1) { timestamp status skipReason error { message } }
  typeSpecificData { ... on SensorData { lastCursor } }"""
_AUTOMATION = f"""query {{
  instance {{ daemonHealth {{ allDaemonStatuses {{ daemonType required healthy lastHeartbeatTime }} }} }}
  workspaceOrError {{ ... on Workspace {{ locationEntries {{ name loadStatus locationOrLoadError {{
    ... on PythonError {{ message causes {{ message }} }} }} }} }} ... on PythonError {{ message }} }}
  repositoriesOrError {{ ... on RepositoryConnection {{ nodes {{
    schedules {{ name scheduleState {{ {_STATE} }} }} sensors {{ name sensorState {{ {_STATE} }} }} }} }}
    ... on PythonError {{ message }} }} }}"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Daemon:
    """One thread of the daemon.

    Attributes:
        type: such as SCHEDULER.
        healthy: whether Dagster thinks so, which it does for half an hour after the end of the daemon.
        heartbeat: when it was heard of last.
    """

    type: str
    healthy: bool
    heartbeat: datetime | None

    def is_well(self, at: datetime) -> bool:
        """Return whether it was heard of lately, without an error; it is to be heard of twice a minute."""
        return self.healthy and self.heartbeat is not None and at - self.heartbeat < HEARTBEAT_IS_LATE_AFTER


@dataclass(frozen=True, kw_only=True, slots=True)
class Tick:
    """One evaluation of a schedule or sensor.

    Attributes:
        at: when.
        status: STARTED, SKIPPED, SUCCESS or FAILURE.
        skip_reason: why it requested nothing.
        error: the first line of what went wrong.
    """

    at: datetime
    status: str
    skip_reason: str | None = None
    error: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Automation:
    """A schedule or a sensor.

    Attributes:
        name: its name.
        kind: `schedule` or `sensor`.
        on: whether it is evaluated.
        last: its last evaluation.
        cursor: what a sensor remembers.
    """

    name: str
    kind: str
    on: bool
    last: Tick | None
    cursor: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Automations:
    """All of it.

    Attributes:
        daemons: those that the instance needs.
        automations: those of the pipeline's code location; none where it is not loaded.
        load_errors: what kept code locations from being loaded, a line each.
    """

    daemons: tuple[Daemon, ...]
    automations: tuple[Automation, ...]
    load_errors: tuple[str, ...] = ()

    def named(self, name: str) -> Automation | None:
        """Return a schedule or sensor; None where there is none of that name."""
        return next((one for one in self.automations if one.name == name), None)


def automations(graphql: GraphQL) -> Automations:
    """Return the daemons, schedules and sensors of the instance.

    Raises:
        WebserverError: if the webserver does not answer.
    """
    answer = graphql.ask(_AUTOMATION)
    nodes = [list(_automations(node)) for node in answer["repositoriesOrError"]["nodes"]]
    daemons = answer["instance"]["daemonHealth"]["allDaemonStatuses"]
    return Automations(
        daemons=tuple(_daemon(one) for one in daemons if one["required"]),
        automations=tuple(next((node for node in nodes if any(one.name == SCHEDULE for one in node)), [])),
        load_errors=tuple(_load_errors(answer["workspaceOrError"]["locationEntries"])),
    )


def _daemon(content: Mapping[str, Any]) -> Daemon:
    heartbeat = content["lastHeartbeatTime"]
    return Daemon(
        type=content["daemonType"],
        healthy=bool(content["healthy"]),
        heartbeat=instant(heartbeat) if heartbeat else None,
    )


def _automations(node: Mapping[str, Any]) -> Iterator[Automation]:
    for kind in ("schedule", "sensor"):
        for one in node[f"{kind}s"]:
            state = one[f"{kind}State"]
            yield Automation(
                name=one["name"],
                kind=kind,
                on=state["status"] == "RUNNING",
                last=_tick(state["ticks"][0]) if state["ticks"] else None,
                cursor=(state["typeSpecificData"] or {}).get("lastCursor"),
            )


def _tick(content: Mapping[str, Any]) -> Tick:
    return Tick(
        at=instant(content["timestamp"]),
        status=content["status"],
        skip_reason=content["skipReason"],
        error=content["error"] and content["error"]["message"].strip().splitlines()[0],
    )


def _load_errors(entries: list[Mapping[str, Any]]) -> Iterator[str]:
    for entry in entries:
        loaded = entry["locationOrLoadError"]
        if not loaded:
            if entry["loadStatus"] == "LOADING":
                yield f"the code location {entry['name']} is being loaded"
        elif "message" in loaded:
            # Dagster's own error only says that there is one; the innermost is what happened.
            innermost = [loaded, *loaded.get("causes", [])][-1]
            yield f"the code location {entry['name']} failed to load: {innermost['message'].strip().splitlines()[0]}"
