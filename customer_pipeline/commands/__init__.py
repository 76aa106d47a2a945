"""The larger commands of `customer-pipeline`, one a file. No Dagster is imported: that would cost two seconds."""
