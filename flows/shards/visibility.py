"""Tell data from what readers of a dataset skip."""


def is_hidden(key: str) -> bool:
    """Whether Spark skips an object of this key; a key that ends in a slash marks a folder.

    A step of the path hides what is below it when it begins with `.`, or with `_` unless it
    holds a `=`: `_day=1` is a partition whose column is called `_day`.
    """
    return key.endswith("/") or any(_hides(step) for step in key.split("/"))


def _hides(step: str) -> bool:
    return step.startswith(".") or (step.startswith("_") and "=" not in step)
