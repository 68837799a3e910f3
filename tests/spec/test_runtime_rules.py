"""The rules that the text gives for the kind `onnx`: from prompt bytes to numbers, from a row to output bytes."""

import math
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import strategies as st
from parley_attestation.edge.onnx import OnnxModel
from parley_attestation.errors import LocalError, Reason
from parley_attestation.output import cut
from reading import section
from worked import inputs


def model(**settings):
    """What a model's reader and writer see of it."""
    plain = {
        "dtype": "float64",
        "shape": (2, 2),
        "scale": 1.0,
        "output": "json",
        "labels": None,
        "decimals": 2,
    }
    known = SimpleNamespace(**{**plain, **settings})
    made = SimpleNamespace(_config=known, _size=math.prod(known.shape))
    made._text = lambda number, content: OnnxModel._text(made, number, content)
    return made


def says(*words: str) -> None:
    """The section says this."""
    for one in words:
        assert one in section("runtimes"), one


def spelled(value: float, digits: int) -> str:
    """A value rounded half to even with exactly so many digits, from its exact binary value."""
    scaled = round(abs(Fraction(value)) * 10**digits)
    whole, rest = divmod(scaled, 10**digits)
    sign = "-" if math.copysign(1, value) < 0 else ""
    return f"{sign}{whole}" + (f".{rest:0{digits}}" if digits else "")


@inputs(row=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=4), digits=st.integers(0, 17))
def test_values_are_spelled_as_the_text_says(row, digits):
    says("`json` gives the values as JSON lists without white space, integers in decimal")
    says("rounded half to even with exactly `decimals` digits", "that rounds to zero with its sign")
    for values in (row, [0.125, 0.375, -0.001, -0.0, 2.5, 3.5, 2.675]):
        expected = "[" + ",".join(spelled(value, digits) for value in values) + "]"
        assert OnnxModel._write(model(decimals=digits), np.array(values)).decode() == expected
    assert OnnxModel._write(model(), np.array([[1, -2], [3, 4]])) == b"[[1,-2],[3,4]]"


def test_argmax_is_the_first_of_the_greatest():
    says(
        "`argmax` gives the label at the place of the first greatest value",
        "where there are no labels that place",
    )
    row = np.array([1.0, 7.0, 7.0])
    assert OnnxModel._write(model(output="argmax", labels=("a", "b", "c")), row) == b"b"
    assert OnnxModel._write(model(output="argmax"), row) == b"1"


def test_a_missing_label_and_a_value_that_is_not_finite_give_no_output():
    says("a value that is not finite and a label that is missing give no output")
    for wrong, row in (
        (model(output="argmax", labels=("a",)), [1, 2]),
        (model(), [math.nan]),
        (model(), [math.inf]),
    ):
        with pytest.raises(LocalError) as caught:
            OnnxModel._write(wrong, np.array(row))
        assert caught.value.reason is Reason.ENGINE


def test_prompts_are_read_as_the_text_says():
    says("a JSON list of numbers, or of decimals as strings, nested as it likes", "as many as the shape has")
    says("each is a binary64 number before it is divided, and integers for an integer type")
    for prompt in ("[1,2,3,0.5]", "[[1,2],[3,0.5]]", '["1",["2",[3]],"0.5"]'):
        found = OnnxModel._read(model(scale=3.0), 0, prompt.encode())
        assert found.tolist() == [[1 / 3, 2 / 3], [3 / 3, 0.5 / 3]]
    assert OnnxModel._read(model(dtype="int32"), 0, b"[1,2,3,4]").tolist() == [[1, 2], [3, 4]]
    great = f"[{2**53 + 1},0,0,0]".encode()
    assert OnnxModel._read(model(dtype="int64"), 0, great).tolist() == [[2**53, 0], [0, 0]]
    says("A prompt of another form is BAD_PROMPT")
    for dtype, prompt in (
        ("float64", "[1,2,3]"), ("float64", "[1,2,3,4,5]"), ("float64", '{"a":1}'), ("float64", '["x",1,2,3]'),
        ("int64", "[1,2,3,0.5]"), ("float64", "1"),
        ("int32", f"[{2**31},0,0,0]"), ("int64", f"[{2**63},0,0,0]"), ("float64", f"[{10**400},0,0,0]"),
    ):  # fmt: skip
        with pytest.raises(LocalError) as caught:
            OnnxModel._read(model(dtype=dtype), 0, prompt.encode())
        assert caught.value.reason is Reason.BAD_PROMPT, prompt


def test_text_is_the_one_element_of_its_input():
    says("With `string` the prompt, in UTF-8, is the one element of the input")
    text = model(dtype="string", shape=(1,))
    assert OnnxModel._read(text, 0, "für".encode()).tolist() == ["für"]
    with pytest.raises(LocalError) as caught:
        OnnxModel._read(text, 0, b"\xff")
    assert caught.value.reason is Reason.BAD_PROMPT


@inputs(text=st.text(max_size=12), limit=st.integers(0, 20))
def test_an_output_is_cut_as_the_text_says(text, limit):
    says(
        "An output longer than output_bytes is cut to it; where a character of UTF-8 would be cut, before that character"
    )
    fitting = [text[:n].encode() for n in range(len(text) + 1) if len(text[:n].encode()) <= limit]
    assert cut(text.encode(), limit) == fitting[-1]
