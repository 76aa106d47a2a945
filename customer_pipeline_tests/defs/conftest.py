"""A deployment whose runs execute in the test's process, on real servers and a real Dagster instance."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from customer_pipeline import run_tags
from customer_pipeline.definitions import defs
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.profile import shipped_profiles
from customer_pipeline.windows import Window
from customer_pipeline_tests.servers import SandboxServer, ValkeyServer

QUICK_RETRIES = (
    "\nretry: {attempts: 2, base: 1ms, cap: 1ms, budget: 1s}\ntimeouts: {connect: 1s, read: 1s, total: 2s}\n"
)


@dataclass
class Deployment:
    instance: dg.DagsterInstance
    landing: LandingStore
    profile: Path

    def run(self, windows: Sequence[Window], *, tags: Mapping[str, str] | None = None) -> dg.ExecuteInProcessResult:
        """Run the job over `windows`."""
        return self._run(windows, None, tags)

    def tick(self, window: Window) -> dg.ExecuteInProcessResult:
        """Run the job as the schedule does."""
        return self.run([window], tags={run_tags.LANE: run_tags.LIVE, run_tags.PRIORITY: run_tags.LIVE_PRIORITY})

    def replay(self, windows: Sequence[Window]) -> dg.ExecuteInProcessResult:
        """Normalize and publish `windows` anew from what was landed."""
        return self._run(windows, ["customers", "quarantined_customers", "customer_cache"])

    def land(self, windows: Sequence[Window]) -> None:
        """Ingest and normalize `windows`."""
        assert self._run(windows, ["raw_customers", "customers", "quarantined_customers"]).success

    def publish(self, windows: Sequence[Window]) -> dg.ExecuteInProcessResult:
        """Publish what was landed of `windows`."""
        return self._run(windows, ["customer_cache"])

    def _run(
        self, windows: Sequence[Window], assets: list[str] | None, tags: Mapping[str, str] | None = None
    ) -> dg.ExecuteInProcessResult:
        tags = {run_tags.RANGE_START: windows[0].key, run_tags.RANGE_END: windows[-1].key, **(tags or {})}
        return defs.resolve_job_def("customer_sync").execute_in_process(
            instance=self.instance,
            tags=tags,
            raise_on_error=False,
            asset_selection=[dg.AssetKey(asset) for asset in assets] if assets else None,
        )

    def edit_profile(self, old: str, new: str) -> None:
        text = self.profile.read_text()
        assert old in text
        self.profile.write_text(text.replace(old, new))

    def tags_of(self, result: dg.ExecuteInProcessResult) -> Mapping[str, str]:
        """The tags of a run that has ended, as the runs list shows them."""
        run = self.instance.get_run_by_id(result.run_id)
        assert run is not None
        return run.tags

    def failure(self, result: dg.ExecuteInProcessResult) -> dg.Failure:
        """The user-facing failure of the only failed step."""
        (event,) = [event for event in result.all_events if event.is_step_failure]
        data = event.step_failure_data.user_failure_data
        assert data is not None
        return dg.Failure(description=data.description, metadata=dict(data.metadata))


@pytest.fixture
def deployment(deployed: tuple[LandingStore, Path]) -> Iterator[Deployment]:
    """A deployment whose instance keeps its runs in memory."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Deployment(instance, *deployed)


@pytest.fixture
def kept_deployment(deployed: tuple[LandingStore, Path]) -> Iterator[Deployment]:
    """A deployment whose instance keeps its runs on the disk, as schedules and sensors need it."""
    with dg.instance_for_test() as instance:
        yield Deployment(instance, *deployed)


@pytest.fixture
def deployed(
    sandbox: SandboxServer, valkey: ValkeyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[LandingStore, Path]:
    """The landing store and the profile of a deployment, after its environment was set."""
    profile = tmp_path / "profile.yaml"
    profile.write_text(shipped_profiles()["sandbox"].read_text() + QUICK_RETRIES)
    landing = (tmp_path / "landing").as_uri()
    monkeypatch.setenv("PROVIDER_PROFILE", str(profile))
    monkeypatch.setenv("SANDBOX_URL", sandbox.url)
    monkeypatch.setenv("SANDBOX_TOKEN", sandbox.TOKEN)
    monkeypatch.setenv("REDIS_URL", valkey.url)
    monkeypatch.setenv("LANDING_URI", landing)
    return LandingStore(landing), profile
