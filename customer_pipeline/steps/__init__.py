"""The three steps of a window: ingest, normalize, publish. They join the libraries and know nothing of Dagster.

Each step reads what the one before landed, works in batches, and returns a report of counts. A step may be repeated
at any time: it replaces its own files, and the cache's guard settles the rest.
"""
