"""Arrow schemas of the three landed datasets; that of customers is derived from the model."""

import types
from datetime import datetime
from typing import Annotated, Any, Union, get_args, get_origin

import pyarrow as pa
from pydantic import BaseModel

from customer_pipeline.customers.model import Customer

INSTANT = pa.timestamp("us", tz="UTC")


def arrow_type(annotation: Any) -> pa.DataType:
    """Return the Arrow type that holds a field of the model; a JSON object is held as text.

    Raises:
        TypeError: if the model uses a type that has no Arrow counterpart here.
    """
    origin = get_origin(annotation)
    if origin is Annotated:
        return arrow_type(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        (inner,) = (argument for argument in get_args(annotation) if argument is not type(None))
        return arrow_type(inner)
    if origin is list:
        return pa.list_(arrow_type(get_args(annotation)[0]))
    if annotation is str or origin is dict:
        return pa.string()
    if annotation is datetime:
        return INSTANT
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return pa.struct(list(_fields(annotation)))
    raise TypeError(f"no Arrow type is known for {annotation!r}")


def _fields(model: type[BaseModel]) -> list[pa.Field]:
    return [
        pa.field(
            name,
            arrow_type(field.annotation),
            nullable=type(None) in get_args(field.annotation),
            metadata={"comment": field.description or ""},
        )
        for name, field in model.model_fields.items()
    ]


RAW = pa.schema(
    [
        pa.field("id", pa.string(), metadata={"comment": "The id as the client read it; null when unusable."}),
        pa.field("updated_at", INSTANT, metadata={"comment": "As the client read it; null when unusable."}),
        pa.field("fetched_at", INSTANT, nullable=False, metadata={"comment": "When the page was asked for."}),
        pa.field("record", pa.string(), nullable=False, metadata={"comment": "The record's JSON as received."}),
    ]
)

CUSTOMERS = pa.schema(
    [
        *_fields(Customer),
        pa.field("fetched_at", INSTANT, nullable=False, metadata={"comment": "When the page was asked for."}),
    ]
)

QUARANTINE = pa.schema(
    [
        pa.field("reason", pa.string(), nullable=False, metadata={"comment": "Reason code."}),
        pa.field("field", pa.string(), metadata={"comment": "Path of the unusable field in the record."}),
        pa.field("fetched_at", INSTANT, nullable=False, metadata={"comment": "When the page was asked for."}),
        pa.field("record", pa.string(), nullable=False, metadata={"comment": "The record's JSON as received."}),
    ]
)
