"""Give tests of chaos the places that other tests have."""

from tests.flows.workplace import careless_s3 as careless_s3
