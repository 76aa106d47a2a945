"""Writes the JSON Schemas and the specification that `docs/` holds: `python -m customer_pipeline.schemas docs`."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from customer_pipeline.customers.model import CustomerDocument
from customer_pipeline.provider.profile import Profile

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def customer_schema() -> dict[str, Any]:
    """Return the JSON Schema of a customer's document in the cache, its members in the document's order."""
    schema = CustomerDocument.model_json_schema(mode="serialization")
    for part in ("properties", "required"):
        schema[part] = _version_first(schema[part])
    return _titled(schema, "Customer document in the cache")


def profile_schema() -> dict[str, Any]:
    """Return the JSON Schema of a provider's profile."""
    return _titled(Profile.model_json_schema(mode="validation"), "Provider profile")


def schema_files() -> dict[str, str]:
    """Return the contents of the generated JSON Schemas, by name."""
    schemas = {"customer.schema.json": customer_schema(), "profile.schema.json": profile_schema()}
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def specification() -> dict[str, Any]:
    """Return the specification of the read API, which is an extra."""
    from customer_pipeline.api.app import Api  # noqa: PLC0415 -- an extra
    from customer_pipeline.api.settings import ApiSettings  # noqa: PLC0415

    return Api(ApiSettings(redis_url="redis://unused", keys_file=Path("unused"))).openapi()


def specification_file() -> str:
    """Return the contents of `openapi.json`."""
    return json.dumps(specification(), indent=2, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the files into the folder that the command line names."""
    parser = argparse.ArgumentParser(
        description="Write the JSON Schemas of the cache's documents and of profiles, and the specification of the API."
    )
    parser.add_argument("folder", type=Path, help="folder of the generated files")
    folder: Path = parser.parse_args(arguments).folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in schema_files().items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "openapi.json").write_text(specification_file(), encoding="utf-8")


def _version_first(members: Any) -> Any:
    if isinstance(members, list):
        return sorted(members, key=lambda name: name != "version")
    return {name: members[name] for name in _version_first(list(members))}


def _titled(schema: dict[str, Any], title: str) -> dict[str, Any]:
    return {"$schema": DIALECT} | schema | {"title": title}


if __name__ == "__main__":
    main()
