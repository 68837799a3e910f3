"""Makers of the test vectors, by kind; `spec/tools/vectors.py` calls them."""
