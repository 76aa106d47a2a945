"""Small files beside the datasets: each is written once, under a name that no other writer chooses."""

from customer_pipeline.landing.errors import explained
from customer_pipeline.landing.storage import Storage


class Notes:
    """Reads and writes small files of a landing store."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def names(self, folder: str) -> list[str]:
        """Return the names of all notes below a folder, sorted; nothing where there is no such folder.

        Raises:
            LandingError: if the store cannot be read.
        """
        with explained(self.uri_of(folder)):
            return self._storage.names(folder)

    def read(self, name: str) -> bytes:
        """Return the contents of a note.

        Raises:
            LandingError: if it is not there, or the store cannot be read.
        """
        with explained(self.uri_of(name)), self._storage.open(name) as file:
            return bytes(file.read())

    def write(self, name: str, content: bytes) -> None:
        """Write a note; it is there whole or not at all, and on the disk on return.

        Raises:
            LandingError: if the store cannot be written.
        """
        with explained(self.uri_of(name)):
            temporary, stream = self._storage.create_temporary()
            try:
                with stream:
                    stream.write(content)
                self._storage.commit(temporary, name)
            except BaseException:
                self._storage.discard(temporary)
                raise

    def uri_of(self, name: str) -> str:
        """Return where a note is, or would be."""
        return f"{self._storage.uri}/{name}"
