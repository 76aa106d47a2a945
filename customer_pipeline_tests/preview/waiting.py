"""A program that makes the place of a preview, says so, and waits there; a test interrupts it."""

import os
import sys
import time

from customer_pipeline.preview.scratch import scratch


def main() -> None:
    with scratch(os.environ) as place:
        sys.stdout.write(f"{place.folder}\n")
        sys.stdout.flush()
        time.sleep(600)


if __name__ == "__main__":
    main()
