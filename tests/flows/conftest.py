"""Give tests of whole jobs a place to run."""

from tests.flows.workplace import careless_s3 as careless_s3
from tests.flows.workplace import prefect_leftovers as prefect_leftovers
from tests.flows.workplace import workplace as workplace
