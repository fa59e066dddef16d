"""The routes of this contract, by path and method."""
