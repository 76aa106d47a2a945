"""A running Dagster instance, seen from outside through its webserver's GraphQL. No Dagster is imported here."""
