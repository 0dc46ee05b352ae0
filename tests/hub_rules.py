"""The Hub's rules for an extractor's definition, as far as this one goes: facts, in a schema of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

TEXT = {"type": "string", "minLength": 1}
TEXTS = {"type": "array", "items": TEXT}


def one_of(*values: str) -> dict[str, Any]:
    """Return the schema of a choice."""
    return {"enum": list(values)}


def exactly(properties: Mapping[str, Any], *optional: str) -> dict[str, Any]:
    """Return the schema of an object with these properties, and no other."""
    required = sorted(set(properties) - set(optional))
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


SETTING = exactly(
    {
        "name": TEXT,
        "label": TEXT,
        "description": TEXT,
        "kind": one_of("array", "boolean", "date_iso8601", "integer", "object", "options", "password", "string"),
        "sensitive": {"const": True},
        "value": {},
        "options": {"type": "array", "items": exactly({"label": TEXT, "value": TEXT})},
        "value_post_processor": {"const": "stringify"},
    },
    *("sensitive", "value", "options", "value_post_processor"),
)
CAPABILITIES = "about activate-version batch catalog discover log-based properties schema-flattening state stream-maps"
RULES = exactly(
    {
        "capabilities": TEXTS | {"items": one_of(*CAPABILITIES.split(), "structured-logging", "test")},
        "commands": {"type": "object"},
        "description": TEXT,
        "domain_url": TEXT,
        "executable": TEXT,
        "keywords": TEXTS | {"contains": {"const": "meltano_sdk"}},
        "label": TEXT,
        "log_parser": {"const": "singer-sdk"},
        "logo_url": TEXT | {"pattern": r"^/assets/logos/extractors/[a-z-]+\.svg$"},
        "maintenance_status": one_of("active", "beta", "development", "inactive", "unknown"),
        "name": TEXT | {"pattern": "^tap-"},
        "namespace": TEXT,
        "pip_url": TEXT,
        "quality": one_of("gold", "silver", "bronze", "unknown"),
        "repo": TEXT,
        "settings": {"type": "array", "items": SETTING},
        "settings_group_validation": {"type": "array", "items": TEXTS},
        "supported_python_versions": TEXTS | {"items": {"type": "string", "pattern": r"^3\.\d+$"}},
        "variant": TEXT | {"pattern": "^[a-z0-9-]+$"},
    }
)
"""What the Hub's schemas and utilities ask of an extractor, as far as this one goes; all that it has, it must have."""
STYLE = {
    "extends": "default",
    "rules": {
        "key-ordering": "enable",
        "braces": {"forbid": "non-empty"},
        "document-start": {"present": False},
        "indentation": {"spaces": 2, "indent-sequences": False},
        **dict.fromkeys(("line-length", "trailing-spaces", "truthy"), "disable"),
    },
}
"""How the Hub's YAML is to look."""
