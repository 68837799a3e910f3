"""Room: the chamber. The programs that run inside boxes; each reads frames and writes frames.

What one of them is given may be hostile, and so may what it does: the chamber takes from a box only
bounded bytes of a fixed shape.
"""
