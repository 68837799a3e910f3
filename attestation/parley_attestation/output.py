"""Room: the core. What every engine, and a chamber after it, does to an output before handing it on."""


def cut(output: bytes, limit: int) -> bytes:
    """Cut `output` to at most `limit` bytes, not inside a UTF-8 character.

    Bytes that are not UTF-8 anyway are cut at the limit itself.

    >>> cut("für".encode(), 2)
    b'f'
    """
    if len(output) <= limit:
        return output
    start = limit
    while start > max(limit - 3, 0) and output[start] & 0xC0 == 0x80:
        start -= 1  # back to the first byte of the character that the limit cuts
    return output[:start] if output[start] >= 0xC0 else output[:limit]
