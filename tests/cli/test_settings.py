"""Check where the commands keep what they need."""

from pathlib import Path

from cli.settings import LocalSettings
from tests.conftest import ROOT


def test_places_are_below_the_data_folder(tmp_path: Path) -> None:
    """One setting moves everything; each part can be moved alone."""
    (tmp_path / "triton-env").mkdir()
    (tmp_path / "prefect" / "template").mkdir(parents=True)
    local = LocalSettings(data_dir=tmp_path, model_repository=None, triton_env=None)
    assert local.repository_dir == tmp_path / "models"
    assert local.triton_env_dir == tmp_path / "triton-env"
    assert local.prefect_template_dir == tmp_path / "prefect" / "template"
    assert local.servers_dir == tmp_path / "triton"
    elsewhere = LocalSettings(model_repository=Path("m"), triton_env=Path("t"))
    assert (elsewhere.repository_dir, elsewhere.triton_env_dir) == (Path("m"), Path("t"))


def test_what_make_built_is_found_from_any_folder(tmp_path: Path) -> None:
    """A data folder that holds no environment or template leaves those of the checkout."""
    local = LocalSettings(data_dir=tmp_path, triton_env=None)
    assert local.triton_env_dir == ROOT / ".nightshift" / "triton-env"
    assert local.prefect_template_dir == ROOT / ".nightshift" / "prefect" / "template"
