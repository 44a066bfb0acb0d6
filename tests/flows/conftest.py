"""Give tests of whole jobs a place to run."""

from tests.flows.workplace import workplace as workplace
