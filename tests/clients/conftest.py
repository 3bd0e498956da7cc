"""Commands in a process of their own, as in the tests of the command."""

from tests.canopy.conftest import canopy, environment, environment_is_given_back

__all__ = ["canopy", "environment", "environment_is_given_back"]
