"""The types of the example: those of the specification as it is."""

import hashlib

from customer_pipeline_tests.frontend.conftest import EXAMPLE


def test_the_types_were_generated_from_the_specification_as_it_is() -> None:
    specification = (EXAMPLE.parents[1] / "docs" / "openapi.json").read_bytes()
    last = (EXAMPLE / "api.d.ts").read_text(encoding="utf-8").splitlines()[-1]
    assert last == f"// docs/openapi.json: SHA-256 {hashlib.sha256(specification).hexdigest()}", "run `make types`"
