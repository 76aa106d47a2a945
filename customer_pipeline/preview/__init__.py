"""What a backfill would do, found out by doing it on a copy: nothing is written to the cache or the landing store."""

from customer_pipeline.preview.rendering import text
from customer_pipeline.preview.report import Report
from customer_pipeline.preview.running import run
from customer_pipeline.preview.scratch import PreviewUnavailable

__all__ = ["PreviewUnavailable", "Report", "run", "text"]
