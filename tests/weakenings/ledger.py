def merge(w):
    return 0
