"""Model engines: one backend a file behind one small interface; optional imports inside the backend only."""
