"""Networks that the tools ship, exported."""

from tests.exports import graphs_are_traced_once

__all__ = ["graphs_are_traced_once"]
