import pytest

from customer_pipeline.landing.errors import LandingError
from customer_pipeline.landing.storage import Storage
from customer_pipeline_tests.landing.conftest import Place


def test_a_note_is_read_as_it_was_written(place: Place) -> None:
    notes = place.store().notes
    assert notes.names("some") == []

    notes.write("some/b/two.json", b"2")
    notes.write("some/one.json", b"")

    assert notes.names("some") == ["some/b/two.json", "some/one.json"]
    assert (notes.read("some/b/two.json"), notes.read("some/one.json")) == (b"2", b"")
    assert place.files("_incomplete") == {}


def test_a_note_that_is_missing_is_named(place: Place) -> None:
    with pytest.raises(LandingError, match=r"some/none\.json"):
        place.store().notes.read("some/none.json")


def test_a_note_that_cannot_be_written_leaves_nothing(folder: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "full")

    monkeypatch.setattr(Storage, "commit", full)
    with pytest.raises(LandingError, match="no room left"):
        folder.store().notes.write("some/one.json", b"1")
    assert folder.files() == {}
