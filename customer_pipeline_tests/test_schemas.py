import json
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

import customer_pipeline
from customer_pipeline import schemas
from customer_pipeline.provider.profile import shipped_profiles

DOCS = Path(customer_pipeline.__file__).parents[1] / "docs"


def test_the_generated_files_are_up_to_date() -> None:
    for name, text in schemas.schema_files().items():
        assert (DOCS / name).read_text(encoding="utf-8") == text, f"docs/{name} is out of date: run `make docs`"


def test_the_generated_files_are_valid_json_schemas() -> None:
    for text in schemas.schema_files().values():
        schema = json.loads(text)
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        assert schema["title"]
        jsonschema.Draft202012Validator.check_schema(schema)


def test_the_documents_schema_requires_every_member_and_the_version_first() -> None:
    schema = schemas.customer_schema()
    assert schema["required"] == list(schema["properties"])
    assert schema["required"][:2] == ["version", "id"]
    assert schema["additionalProperties"] is False


def test_the_command_writes_the_files(tmp_path: Path) -> None:
    schemas.main([str(tmp_path / "docs")])
    written = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "docs").iterdir()}
    assert written == {**schemas.schema_files(), "openapi.json": schemas.specification_file()}


def test_shipped_profiles_match_the_profiles_schema() -> None:
    yaml = pytest.importorskip("yaml")
    validator = jsonschema.Draft202012Validator(schemas.profile_schema())
    for path in shipped_profiles().values():
        validator.validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def test_no_datetime_but_the_contracts_matches_the_documents_schema() -> None:
    schema = schemas.customer_schema()
    instant = jsonschema.Draft202012Validator(schema["properties"]["updated_at"])
    assert instant.is_valid("2026-11-23T07:50:00.000000Z")
    for text in ("2026-11-23T07:50:00Z", "2026-11-23T07:50:00.000000+00:00", datetime(2026, 1, 1, tzinfo=UTC), 0, None):
        assert not instant.is_valid(text)
