"""Check which environment variables are known."""

import re

from cli.variables import SETTINGS_MODULES, unknown_variables, variable_names
from tests.conftest import ROOT


def test_misspelt_settings_are_told() -> None:
    """With the likely name; what others set is no business of ours."""
    found = {
        "NIGHTSHIFT_TRITON_URL": "a:1",
        "NIGHTSHIFT_TRITON_URLS": "a:1",
        "NIGHTSHIFT_S3_ENDPOINT_URL": "http://a",
        "NIGHTSHIFT_ENVIRONMENT": "development",
        "NIGHTSHIFT_DATA_DIR": "x",
        "NIGHTSHIFT_COLOUR": "red",
        "NIGHT": "dark",
    }
    assert unknown_variables(found) == [
        "NIGHTSHIFT_COLOUR is not a setting and has no effect",
        "NIGHTSHIFT_TRITON_URL is not a setting and has no effect: "
        "did you mean NIGHTSHIFT_TRITON_URLS?",
    ]


def test_each_field_has_its_variable() -> None:
    """With the prefix of its class, or the name that the field itself gives."""
    assert variable_names("S3Settings")["tries"] == "NIGHTSHIFT_S3_TRIES"
    assert variable_names("TokenSettings")["environment"] == "NIGHTSHIFT_ENVIRONMENT"
    assert variable_names("BatchJob") == {}


def test_every_settings_class_is_known() -> None:
    """Else its variables would be called misspelt."""
    packages = ("api", "cli", "flows", "inference", "registry", "telemetry")
    defining = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for package in packages
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"^class \w+\(BaseSettings\)", path.read_text(), re.MULTILINE)
    }
    assert defining == set(SETTINGS_MODULES)
