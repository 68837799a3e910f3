"""The conformance suite that third parties run against their own implementation."""
