"""The settings are the same wherever they are described."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.agreement import Said

if TYPE_CHECKING:
    from collections.abc import Iterator

ASCENDING = [{"label": "Ascending", "value": "ascending"}]
WRONG: list[tuple[str, str, str, Any]] = [
    ("hub", "limit", "name", "limits"),
    ("hub", "limit", "label", "Limit"),
    ("hub", "limit", "description", "The page size"),
    ("hub", "limit", "kind", "string"),
    ("hub", "limit", "value", 50),
    ("hub", "limit", "sensitive", True),
    ("hub", "params", "sensitive", False),
    ("hub", "params", "kind", "string"),
    ("hub", "sort_order", "options", ASCENDING),
    ("hub", "flattening_enabled", "kind", "string"),
    ("hub", "flattening_enabled", "name", "flatten"),
    ("meltano", "limit", "name", "limits"),
    ("meltano", "limit", "label", "Limit"),
    ("meltano", "limit", "description", "The page size"),
    ("meltano", "limit", "kind", "string"),
    ("meltano", "limit", "sensitive", True),
    ("meltano", "resources", "kind", "array"),
    ("meltano", "params", "sensitive", False),
    ("meltano", "sort_order", "options", ASCENDING),
    ("readme", "limit", "name", "limits"),
    ("readme", "limit", "description", "The page size"),
    ("readme", "limit", "default", "`50`"),
    ("readme", "base_url", "default", ""),
    *(
        (place, name, key, value)
        for place in ("schema", "about")
        for name, key, value in [
            ("limit", "title", "Limit"),
            ("limit", "description", "The page size"),
            ("limit", "type", ["number", "null"]),
            ("limit", "default", 50),
            ("limit", "secret", True),
            ("params", "secret", False),
            ("sort_order", "enum", ["ascending"]),
        ]
    ),
]


@pytest.fixture(scope="module")
def said() -> Said:
    """Ask once; each test puts back what it changes."""
    return Said.now()


@pytest.fixture
def changed(said: Said, request: pytest.FixtureRequest) -> Iterator[Said]:
    """Let one place say something else."""
    place, name, key, value = request.param
    source = getattr(said, place)
    settings = source["settings"] if place in {"hub", "meltano", "about"} else source
    if place in {"schema", "about"}:
        setting = settings["properties"][name]
    else:
        (setting,) = (each for each in settings if each["name"] == name)
    before = dict(setting)
    setting[key] = value
    yield said
    setting.clear()
    setting.update(before)


def test_schema_about_meltano_readme_and_hub_agree(said: Said) -> None:
    """A person would set what does not exist, rely on another default, or see a secret printed."""
    assert said.disagreements() == []
    assert len(said.readme) == len(said.meltano["settings"]) == len(said.schema["properties"])


@pytest.mark.parametrize("changed", WRONG, ids=lambda wrong: "-".join(map(str, wrong[:3])), indirect=True)
def test_a_disagreement_is_found(changed: Said) -> None:
    """The test above would be none."""
    assert len(changed.disagreements()) > 0


@pytest.mark.parametrize("place", ["schema", "about"])
def test_a_setting_that_only_one_of_them_has_is_found(said: Said, place: str) -> None:
    """A new setting would be nowhere to be read of."""
    source = getattr(said, place)
    properties = (source["settings"] if place == "about" else source)["properties"]
    properties["new"] = properties["limit"]
    found = said.disagreements()
    del properties["new"]
    assert "hub: new" in found or "readme: new" in found


@pytest.mark.parametrize("place", ["about", "meltano", "hub"])
def test_a_capability_that_only_one_of_them_has_is_found(said: Said, place: str) -> None:
    """Meltano would ask for what the tap cannot do."""
    source = getattr(said, place)
    before = source["capabilities"]
    source["capabilities"] = [*before, "test"]
    found = said.disagreements()
    source["capabilities"] = before
    assert [line.endswith(": capabilities") for line in found] == [True] * len(found) != []
