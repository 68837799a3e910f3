"""Room: the model. Model-hash claims, their openings and their formats; pure, and every role may call it."""
