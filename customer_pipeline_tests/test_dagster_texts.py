import pytest

from customer_pipeline.dagster_texts import telling, tells, written


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        ('{"team": "42"}', True),
        (r"{\"team\": \"42\"}", True),
        (r"{\\\"team\\\": \\\"42\\\"}", True),
        ("KeyError: '42'", True),
        ("customer:{42}:tombstone", True),
        ('{"rows": 42}', False),
        ('"142"', False),
        ("<text x='42'/>", False),
        ("${42}", False),
        ('{"dagster/priority": "42"}', False),
        ('{".dagster/grpc_info": "42"}', False),
        ('{"customer_pipeline/failure": "42"}', False),
        (r"{\"dagster/priority\": \"42\"}", False),
        (r'{"dagster/asset_selection": "[\"42\"]"}', False),
        ("{'dagster/priority': '42'}", False),
        ('{"dagster/priority": "1", "team": "42"}', True),
        ('{"dagster/priority": "", "team": "42"}', True),
        (r"{\"dagster/priority\": \"1\", \"team\": \"42\"}", True),
        ('{"team": "42", "dagster/priority": "42"}', True),
        ('{"my-dagster/priority": "42"}', True),
        ('{"text": "42"}, "label": "pid"}', False),
        ('{"text": "42"}, "label": "who"}', True),
        ('{"log_key": ["__repository__", "heal_gaps", "42"], "run_ids": []}', False),
        ('{"log_key": ["__repository__", "heal_gaps", "42"], "run_ids": ["42"]}', True),
    ],
)
def test_a_number_tells_of_an_id_where_it_is_no_count_of_dagster_s_own(text: str, is_told: bool) -> None:  # noqa: FBT001
    assert tells(telling(written("42")).finditer(text)) is is_told


@pytest.mark.parametrize("name", ["ab", "cus_00001"])
def test_an_id_that_is_no_number_is_found_in_any_tag(name: str) -> None:
    assert tells(telling(written(name)).finditer(f'{{"dagster/partition": "{name}"}}'))
