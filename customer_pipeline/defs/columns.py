"""Columns of the landed datasets as the UI shows them."""

import dagster as dg

from customer_pipeline.customers import schemas

_SCHEMAS = {
    "raw_customers": schemas.RAW,
    "customers": schemas.CUSTOMERS,
    "quarantined_customers": schemas.QUARANTINE,
}


def columns_of(dataset: str) -> dict[str, dg.TableSchema]:
    """Return definition metadata with the columns of a landed dataset."""
    columns = [
        dg.TableColumn(
            name=field.name,
            type=str(field.type),
            description=(field.metadata or {}).get(b"comment", b"").decode(),
            constraints=dg.TableColumnConstraints(nullable=field.nullable),
        )
        for field in _SCHEMAS[dataset]
    ]
    return {"dagster/column_schema": dg.TableSchema(columns=columns)}
