"""The datasets that the steps land."""

RAW_CUSTOMERS = "raw_customers"
CUSTOMERS = "customers"
QUARANTINED_CUSTOMERS = "quarantined_customers"
# In the order in which they come into being: what is removed goes the other way.
LANDED = (RAW_CUSTOMERS, CUSTOMERS, QUARANTINED_CUSTOMERS)
