"""README's badges are those of the address in pyproject.toml."""

import pytest

import badges


def test_readme_is_up_to_date():
    text = (badges.ROOT / "README.md").read_text()
    assert badges.with_badges(text, badges.address()) == text


def test_badges_name_the_repository_and_the_first_notebook():
    text = badges.with_badges(f"# title\n\n{badges.BEGIN}old\n{badges.END}\nrest", "ann/kit")
    assert "old" not in text and text.endswith(f"{badges.END}\nrest")
    assert "mybinder.org/v2/gh/ann/kit/HEAD?labpath=notebooks%2F00_start_here.ipynb" in text
    assert (badges.ROOT / "notebooks" / "00_start_here.ipynb").exists()
    assert badges.badges("") == ""


def test_a_wrong_address_or_readme_is_refused():
    with pytest.raises(ValueError, match="'OWNER/NAME', got 'kit'"):
        badges.badges("kit")
    with pytest.raises(ValueError, match="README needs the lines"):
        badges.with_badges("# title", "")
