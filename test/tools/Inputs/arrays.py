"""Makes the inputs of boostr-run.test in the directory that is given, or checks its result."""

import sys

import numpy as np


def numbers(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def inputs():
    return {"attn": numbers(1, 2, 3, 8), "weight": numbers(2, 5, 8), "residual": numbers(3, 2, 3, 5)}


folder, action = sys.argv[1:3]
if action == "make":
    for name, array in inputs().items():
        np.save(f"{folder}/{name}.npy", array)
    np.save(f"{folder}/double.npy", inputs()["attn"].astype(np.float64))
    np.save(f"{folder}/fortran.npy", np.asfortranarray(inputs()["weight"]))
    np.save(f"{folder}/short.npy", inputs()["residual"][:, :2])
    np.save(f"{folder}/x.npy", np.array([0x3F80, 0xC000, 0x3F00, 0x0000], np.uint16))
    for name, shape in {"no-shape": "", "two-commas": "'shape': (4,,), ", "negative": "'shape': (-4,), "}.items():
        header = f"{{'descr': '<u2', 'fortran_order': False, {shape}}}\n".encode()
        with open(f"{folder}/{name}.npy", "wb") as file:
            file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(8))
    with open(f"{folder}/cut.npy", "wb") as file:
        file.write(open(f"{folder}/attn.npy", "rb").read()[:-4])
else:
    given = inputs()
    expected = given["attn"].astype(np.float64) @ given["weight"].T.astype(np.float64) + given["residual"]
    np.testing.assert_allclose(np.load(f"{folder}/y.npy"), expected, rtol=1e-5, atol=1e-5)
    print("right")
