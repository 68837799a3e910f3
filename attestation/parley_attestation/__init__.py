"""What the parties state and how anyone checks it: the pure core of Parley.

Nothing in here opens a socket, reads a clock or draws randomness, except the package `edge`, which
holds the storage and transport that both roles share. This package imports no role.
"""
