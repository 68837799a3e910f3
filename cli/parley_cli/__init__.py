"""The `parley` command. It imports every room lazily; nobody imports it."""
