"""The specification: true to the service, to the one model, and to its own examples."""

from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
from fastapi.routing import APIRoute
from openapi_spec_validator import validate

import customer_pipeline
from customer_pipeline import schemas
from customer_pipeline.api import cursors, examples
from customer_pipeline.api.app import Api
from customer_pipeline.api.settings import ApiSettings
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.customers.model import CustomerDocument
from customer_pipeline_tests.api.serving import ApiServer, live

DOCS = Path(customer_pipeline.__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def specification() -> dict[str, Any]:
    return schemas.specification()


def validator(specification: dict[str, Any], schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({**schema, "components": specification["components"]})


def test_the_committed_specification_is_up_to_date() -> None:
    assert (DOCS / "openapi.json").read_text(encoding="utf-8") == schemas.specification_file(), "run `make docs`"


def test_it_is_valid_openapi(specification: dict[str, Any]) -> None:
    assert specification["openapi"] == "3.1.0"
    validate(specification)


def test_the_service_serves_the_same(api: ApiServer, specification: dict[str, Any]) -> None:
    assert api.get("/openapi.json", key="").json() == specification


def test_its_customer_is_the_one_of_the_cache_contract(specification: dict[str, Any]) -> None:
    contract = orjson.loads((DOCS / "customer.schema.json").read_bytes())
    customer = specification["components"]["schemas"]["CustomerDocument"]
    for name, expected in contract["properties"].items():
        found = orjson.loads(orjson.dumps(customer["properties"][name]).replace(b"#/components/schemas/", b"#/$defs/"))
        assert found == expected
    assert set(customer["required"]) == set(contract["required"])
    assert customer["additionalProperties"] is False


def test_the_example_is_a_customer_as_the_cache_holds_them() -> None:
    jsonschema.validate(examples.CUSTOMER, schemas.customer_schema())
    assert CustomerDocument.model_validate(examples.CUSTOMER).model_dump(mode="json") == examples.CUSTOMER
    assert cursors.parse(str(examples.PAGE["next"]))[1] == examples.ID.encode()


def test_every_answer_has_an_example_that_fits(specification: dict[str, Any]) -> None:
    count = 0
    for operations in specification["paths"].values():
        for status, response in operations["get"]["responses"].items():
            if status == "304":
                continue
            for content in response["content"].values():
                shown = [each["value"] for each in content.get("examples", {}).values()] or [content["example"]]
                for example in shown:
                    validator(specification, content["schema"]).validate(example)
                    count += 1
    assert count > 60


def test_everything_but_health_names_the_scope_that_it_needs(specification: dict[str, Any]) -> None:
    security = {path: operations["get"].get("security") for path, operations in specification["paths"].items()}
    assert security == {
        "/v1/customers/lookup": [{"key": ["lookup"]}],
        "/v1/customers/{customer_id}": [{"key": ["read"]}],
        "/v1/customers": [{"key": ["read"]}],
        "/v1/changes": [{"key": ["changes"]}],
        "/v1/freshness": [{"key": []}],
        "/healthz": None,
        "/readyz": None,
        "/metrics": [{"key": ["metrics"]}],
    }


def test_real_answers_fit(api: ApiServer, publisher: Publisher, specification: dict[str, Any]) -> None:
    publisher.publish([live("c"), live("d", address=None, phone=None)])
    for path, template in {
        "/v1/customers/c": "/v1/customers/{customer_id}",
        "/v1/customers/nobody": "/v1/customers/{customer_id}",
        "/v1/customers?limit=1": "/v1/customers",
        "/v1/customers?ids=c,x": "/v1/customers",
        "/v1/customers?ids=": "/v1/customers",
        "/v1/customers/lookup?email=a@example.com": "/v1/customers/lookup",
        "/v1/freshness": "/v1/freshness",
        "/healthz": "/healthz",
        "/readyz": "/readyz",
    }.items():
        response = api.get(path)
        described = specification["paths"][template]["get"]["responses"][str(response.status_code)]
        content = described["content"][response.headers["Content-Type"]]
        validator(specification, content["schema"]).validate(response.json())


def test_what_the_specification_does_not_name_is_404(api: ApiServer, specification: dict[str, Any]) -> None:
    application = Api(ApiSettings(redis_url="redis://unused", keys_file=Path("unused")))
    served = {route.path_format for route in application.routes if isinstance(route, APIRoute)}
    pages = {"/docs", "/docs/problems", "/docs/{name}", "/openapi.json"}
    assert {path.replace(":path}", "}") for path in served} == {*specification["paths"], *pages}
    for path in ("/", "/v1", "/v2/customers", "/v1/customer", "/v1/changes/", "/metrics/", "/redoc", "/admin"):
        assert api.get(path).status_code == 404, path
