"""Puts this folder on the path, so that the tests of several rooms share the kits in it."""
