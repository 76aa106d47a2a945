"""The parent's end of `feast_rival.py`: starts it on the measured core and asks for one timed repetition at a time."""

import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

SCRIPT = Path(__file__).parent / "feast_rival.py"


class Rival:
    """Feast with the given customers. As a context manager it ends the process."""

    def __init__(self, customers: pa.Table, folder: Path, *, python: Path, port: int) -> None:
        folder.mkdir(parents=True)
        parquet = folder / "customers.parquet"
        pq.write_table(flat(customers), parquet)
        self._log = (folder / "feast.log").open("w+")
        self._process = subprocess.Popen(
            [str(python), "-P", str(SCRIPT), str(folder), str(parquet), f"127.0.0.1:{port}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self._answer()

    def run(self, command: str) -> float:
        """Let Feast do one repetition; return its seconds, measured over there."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return float(self._answer()["seconds"])

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._log.seek(0)
            raise RuntimeError(f"Feast ended with {self._process.returncode}: {self._log.read()[-2000:]}")
        answer: dict[str, float] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()
        self._log.close()


def flat(customers: pa.Table) -> pa.Table:
    """Return the same customers as text and instants only; lists would cost Feast more, so it is spared them."""
    columns: dict[str, pa.ChunkedArray] = {}
    for name in customers.column_names:
        column = customers[name]
        if pa.types.is_struct(column.type):
            struct = column.combine_chunks()
            columns.update({f"{name}_{part.name}": pc.struct_field(struct, part.name) for part in column.type})
        elif pa.types.is_list(column.type):
            columns[name] = pc.binary_join(column, ",")
        else:
            columns[name] = column
    return pa.table(columns)
