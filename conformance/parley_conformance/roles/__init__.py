"""Room: the suite. What verifiers, judges, witnesses and chambers are held to, one module a role."""
