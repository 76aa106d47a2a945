"""Backfill as it is typed wrong, or interrupted early; the rest is shown on a stack."""

import pytest

from customer_pipeline import cli
from customer_pipeline_tests.servers import free_port

TYPED = ["backfill", "2026-11-23T1450Z", "2026-11-23T1500Z"]


@pytest.fixture(autouse=True)
def _without_a_webserver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_WEBSERVER_URL", f"http://127.0.0.1:{free_port()}")


@pytest.mark.parametrize("options", [["--show-values"], ["--sample", "3"], ["--sample", "0", "--replay", "--again"]])
def test_who_forgets_dry_run_starts_no_backfill(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*TYPED, *options]) == 2

    assert "--sample and --show-values belong to --dry-run; nothing was started" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--again"], ["--url", "http://127.0.0.1:3000"]])
def test_what_a_dry_run_has_no_use_for_is_refused(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*TYPED, "--dry-run", *options]) == 2

    assert "--again and --url belong to a backfill; --dry-run starts none" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("during", "options", "said"),
    [
        ("commands.backfill.preview", ["--dry-run"], "interrupted; nothing was written"),
        ("instance.backfills.known_windows", [], "interrupted; nothing was started"),
        ("commands.backfill._through_the_instance", [], "interrupted; a backfill that was requested goes on"),
    ],
)
def test_ctrl_c_says_what_is(
    during: str, options: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"customer_pipeline.{during}", interrupted)

    assert cli.main([*TYPED, *options]) == 130

    assert capsys.readouterr().err == f"customer-pipeline: {said}\n"
