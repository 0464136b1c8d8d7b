"""The policy file: wrong keys are named, changes are met, and the schema says what is right."""

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import DataError, RunError
from engine.policy.file import WatchedFile, policy_schema, read_policy, write_policy
from engine.policy_rules import Policy, PolicyConfig

WHOLE = """\
name: spring
block:
  items: [a, b]
  brands: [Acme]
  categories:
    - [Grocery, Candy]
    - Garden
max_per_group: 3
caps:
  - {name: sweets, category: [Grocery], most: 2}
boosts:
  - name: organic
    attributes: {organic: "yes"}
    logit: 0.5
    starts_at: 2026-03-01
    ends_at: 2026-04-01T12:00
frequency: {most: 4, days: 3}
diversity: {method: dpp, weight: 0.3, vectors: graph}
exploration: {method: thompson, spread: 0.4, pool: 30}
exposure:
  - {of: new, share: 0.05}
  - {of: small_brands, share: 0.1, over: list}
"""


def written(tmp_path, text):
    path = tmp_path / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_whole_policy_is_read_and_written_without_loss(tmp_path):
    policy = read_policy(written(tmp_path, WHOLE))
    assert policy.boosts[0].starts_at.isoformat() == "2026-03-01T00:00:00"
    assert policy.block.categories == (("Grocery", "Candy"), ("Garden",))
    write_policy(policy, tmp_path / "again.yaml")
    again = read_policy(tmp_path / "again.yaml")
    assert again == policy
    assert again.version == policy.version
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.yaml", "policy.yaml"]


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ("max_per_group: 3", "max_per_gruop: 3", "line 8: .*did you mean 'max_per_group'"),
        ("    logit: 0.5", "    logits: 0.5", "line 14: boosts.0.logits: .*mean 'logit'"),
        ("most: 4", "most: 0", "line 17: frequency.most: .*greater than or equal to 1; got 0"),
        ("method: dpp", "method: mmd", "line 18: .*'mmr' or 'dpp'; got 'mmd'"),
        ('    attributes: {organic: "yes"}\n', "", "line 12: boosts.0: expected at least one of"),
        ("2026-03-01", "2026-05-01", "line 12: boosts.0: got a boost from 2026-05-01"),
        ("2026-03-01", "0001-01-01", "line 15: boosts.0.starts_at: got the year 1, exp"),
        ("name: sweets", "name: sweets, wish: 1", "line 10: caps.0.wish: unknown key; expected"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, was, becomes, says):
    assert was in WHOLE
    with pytest.raises(DataError, match=says):
        read_policy(written(tmp_path, WHOLE.replace(was, becomes)))


def test_two_rules_of_one_name_are_refused(tmp_path):
    twice = "caps:\n  - {name: x, brands: [a], most: 1}\n  - {name: x, brands: [b], most: 1}\n"
    with pytest.raises(DataError, match="two are named 'x'"):
        read_policy(written(tmp_path, twice))


def test_the_schema_knows_every_section_and_what_each_field_means():
    schema = json.loads(policy_schema())
    assert set(schema["properties"]) == set(Policy.model_fields)
    assert schema["additionalProperties"] is False
    for model in [schema, *(d for d in schema["$defs"].values() if "properties" in d)]:
        for name, field in model["properties"].items():
            assert field.get("description"), name


def test_the_version_is_that_of_the_rules_alone():
    assert PolicyConfig(wish_weight=3).version == Policy().version
    assert Policy(max_per_group=2).version != Policy().version
    assert Policy(name="spring").version.startswith("spring-")


@given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=80))
def test_any_text_survives_the_file(tmp_path_factory, item, name):
    path = tmp_path_factory.mktemp("any") / "policy.yaml"
    policy = Policy(name=name, block={"items": [item], "categories": [[item, name]]})
    write_policy(policy, path)
    assert read_policy(path) == policy


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_file_may_appear_change_and_vanish(tmp_path):
    clock, path = Clock(), tmp_path / "policy.yaml"
    watched = WatchedFile(path, read_policy, clock)
    assert watched.current() is None
    path.write_text("max_per_group: 1\n")
    clock.now_s = 0.9
    assert watched.current() is None  # looked a moment ago
    clock.now_s = 1.1
    assert watched.current().max_per_group == 1
    path.write_text("max_per_group: 12\n")
    clock.now_s = 2.2
    assert watched.current().max_per_group == 12
    path.unlink()
    clock.now_s = 3.3
    assert watched.current() is None


def test_a_file_that_becomes_wrong_is_told_of_and_the_last_good_one_holds(tmp_path, caplog):
    clock, path = Clock(), written(tmp_path, "max_per_group: 1\n")
    watched = WatchedFile(path, read_policy, clock)
    path.write_text("max_per_grup: 1\n")
    clock.now_s = 2.0
    with caplog.at_level(logging.ERROR):
        assert watched.current().max_per_group == 1
    assert "line 1: max_per_grup: unknown key" in caplog.text
    assert "did you mean 'max_per_group'" in watched.problem
    path.write_text("max_per_group: 22\n")
    clock.now_s = 4.0
    assert watched.current().max_per_group == 22
    assert watched.problem is None


def test_a_file_that_is_wrong_at_the_start_is_refused(tmp_path):
    with pytest.raises(DataError, match="unknown key"):
        WatchedFile(written(tmp_path, "max: 1\n"), read_policy)


def test_a_file_that_cannot_be_written_is_told_of(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        write_policy(Policy(), tmp_path / "file" / "policy.yaml")
