"""The two kinds of landing store: a folder, and a bucket of a real S3 server."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3  # type: ignore[import-untyped]
import pytest
from pyarrow import fs

from customer_pipeline.landing.store import LandingStore
from customer_pipeline_tests.servers import ServerProcess, free_port


@dataclass(frozen=True)
class Place:
    """A landing URI, and a way to look at what is really there."""

    uri: str

    def store(self) -> LandingStore:
        return LandingStore(self.uri)

    def files(self, below: str = "") -> dict[str, bytes]:
        """Return all files, by their path below the URI."""
        filesystem, root = fs.FileSystem.from_uri(self.uri)
        found = filesystem.get_file_info(fs.FileSelector(f"{root}/{below}", recursive=True, allow_not_found=True))
        return {
            info.path.removeprefix(f"{root}/"): filesystem.open_input_file(info.path).read()
            for info in found
            if info.is_file
        }

    def put(self, name: str, contents: bytes) -> None:
        filesystem, root = fs.FileSystem.from_uri(self.uri)
        path = f"{root}/{name}"
        if self.uri.startswith("file:"):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        with filesystem.open_output_stream(path) as stream:
            stream.write(contents)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A moto server, with credentials in the environment as long as it runs."""
    port = free_port()
    folder = tmp_path_factory.mktemp("moto")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with pytest.MonkeyPatch.context() as patch, ServerProcess(command, port, log=folder / "moto.log") as server:
        patch.setenv("AWS_ACCESS_KEY_ID", "an-id")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
        patch.setenv("AWS_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Place:
    return Place((tmp_path / "landing with a space").as_uri())


@pytest.fixture
def bucket(s3_server: ServerProcess) -> Place:
    """A new bucket."""
    name = f"landing-{free_port()}"
    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{s3_server.port}", region_name="us-east-1")
    client.create_bucket(Bucket=name)
    client.close()
    return Place(f"s3://{name}/some/prefix?endpoint_override=127.0.0.1:{s3_server.port}&scheme=http")


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest) -> Place:
    """One body of tests for both kinds."""
    found: Place = request.getfixturevalue(request.param)
    return found
