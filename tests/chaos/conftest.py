"""Give tests of commits the places where they happen."""

from tests.chaos.places import careless_server as careless_server
from tests.chaos.places import place as place
