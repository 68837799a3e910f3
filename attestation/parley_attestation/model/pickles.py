"""Room: the model. Refuses files that are programs in disguise; a chamber's load box calls it.

A pickle runs code when it is loaded. A file counts as one by its name, or by how it begins: a pickle of
protocol 2 or later, a NumPy array of objects, or an archive, which is what frameworks put pickles into.
"""

import re

from parley_attestation.errors import PeerError, Reason, printable

HEAD = 256  # bytes of a file that are looked at
_NAMES = (".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib", ".npz", ".zip", ".tar", ".mar")
_BEGINNINGS = re.compile(rb"\x80[\x02-\x05]|PK\x03\x04|\x1f\x8b|\x93NUMPY.{0,200}\|O", re.DOTALL)


def refuse_pickle(path: str, head: bytes) -> None:
    """Refuse a file of a model that could hold a pickle.

    Args:
        path: Its path in the model.
        head: Its first `HEAD` bytes.

    Raises:
        PeerError: PICKLED.
    """
    if path.lower().endswith(_NAMES) or _BEGINNINGS.match(head):
        raise PeerError(
            Reason.PICKLED,
            f"{printable(path)}: a pickle or an archive of them; weights come as safetensors, ONNX or GGUF",
        )
