"""The job that erases a customer: launched through the webserver, and how its run is."""

from dataclasses import dataclass
from typing import Any

from customer_pipeline.instance.graphql import GraphQL, WebserverError
from customer_pipeline.instance.runs import FAILED, QUEUED, RUN_FIELDS, SUCCEEDED, PipelineRun, pipeline_run

JOB = "customer_erasure"
OP = "erase_customer"

_REPOSITORIES = """{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name }
  pipelines { name } } } ... on PythonError { message } } }"""
_LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) { __typename
  ... on LaunchRunSuccess { run { runId } } ... on PipelineNotFoundError { message } ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } } } }"""
_CANCEL = """mutation($run: String!) { terminateRun(runId: $run, terminatePolicy: SAFE_TERMINATE) {
  __typename ... on TerminateRunFailure { message } ... on RunNotFoundError { message } ... on PythonError { message }
  ... on UnauthorizedError { message } } }"""
_RUN = f"""query($run: ID!) {{ runOrError(runId: $run) {{ ... on Run {{ {RUN_FIELDS} }}
  ... on RunNotFoundError {{ message }} ... on PythonError {{ message }} }} }}"""


@dataclass(frozen=True, kw_only=True, slots=True)
class ErasureRun:
    """A run of the job, as it is now."""

    run: PipelineRun

    @property
    def queued(self) -> bool:
        """Whether it has not begun."""
        return self.run.status in QUEUED

    @property
    def ended(self) -> bool:
        """Whether it has."""
        return self.run.status in SUCCEEDED | FAILED

    @property
    def succeeded(self) -> bool:
        """Whether it has ended well."""
        return self.run.status in SUCCEEDED


def page(run_id: str) -> str:
    """Return the path of a run's page in the UI."""
    return f"/runs/{run_id}"


def launch(graphql: GraphQL, hash_: str) -> str:
    """Launch the job for the customer of a hash, and return the run's id.

    Raises:
        WebserverError: if the instance has no such job, or refuses it.
    """
    params = {
        "selector": _selector(graphql),
        "runConfigData": {"ops": {OP: {"config": {"hash": hash_}}}},
        "executionMetadata": {"tags": []},
    }
    answer = graphql.ask(_LAUNCH, {"params": params})["launchRun"]
    if answer["__typename"] != "LaunchRunSuccess":
        raise WebserverError(f"the job {JOB} was refused: {answer['__typename']}")
    return str(answer["run"]["runId"])


def state(graphql: GraphQL, run_id: str) -> ErasureRun:
    """Return how a run is."""
    return ErasureRun(run=pipeline_run(graphql.ask(_RUN, {"run": run_id})["runOrError"]))


def cancel(graphql: GraphQL, run_id: str) -> None:
    """Take a run out of the queue.

    Raises:
        WebserverError: if it cannot be taken out.
    """
    graphql.ask(_CANCEL, {"run": run_id})


def _selector(graphql: GraphQL) -> dict[str, Any]:
    for repository in graphql.ask(_REPOSITORIES)["repositoriesOrError"]["nodes"]:
        if JOB in {job["name"] for job in repository["pipelines"]}:
            return {
                "repositoryLocationName": repository["location"]["name"],
                "repositoryName": repository["name"],
                "pipelineName": JOB,
            }
    raise WebserverError(f"the instance has no job {JOB}: its code location is not loaded, or is of an earlier version")
