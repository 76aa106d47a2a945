from customer_pipeline.reconciliation.seen import CustomersSeen


def test_the_last_three_who_were_seen_alive_are_its_witnesses() -> None:
    seen = CustomersSeen()
    assert not seen.witnesses
    seen.testify(["a", "b", "c", "d"])
    seen.testify([])
    seen.testify(["e"])
    assert seen.witnesses == ("e", "b", "c")
