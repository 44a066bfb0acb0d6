"""Check the tags that models and versions are found by."""

from collections.abc import Mapping

from registry.domain import InvalidName, check_name

MOST_TAGS = 64
"""Tags of one model or version: more would be data, which belongs elsewhere."""
LONGEST_TAG_VALUE = 256
"""Characters of a tag's value: what an index can hold."""


def check_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return a copy of the tags, by name; raises `InvalidName` for one that cannot be kept."""
    if len(tags) > MOST_TAGS:
        raise InvalidName(f"{len(tags)} tags are too many: keep to {MOST_TAGS}")
    for key, value in tags.items():
        check_name(key, "tag")
        if len(value) > LONGEST_TAG_VALUE or not value.isprintable():
            raise InvalidName(
                f"tag {key!r}: its value is not allowed: use at most {LONGEST_TAG_VALUE} "
                "printable characters"
            )
    return {key: tags[key] for key in sorted(tags)}
