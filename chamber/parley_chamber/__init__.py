"""The chamber: the neutral sealed evaluation box, the third role."""
