"""Confirm certificates in ball arithmetic: numpy and python-flint alone, nothing of the package.

    python check.py NETWORK.npz CERTIFICATE.npz ...

A certificate says that all x' with |x' - x| <= eps, cut with the bounds of the data, have the label
of x: in exact arithmetic on the stored weights. For each other class its witness names the free
entries of the box behind the threshold, one of two quadratic forms, and a dual point; or the entry
at which the box is halved and the witnesses of both halves. Every inequality below is decided by
balls of python-flint that hold the exact number. Floating point only proposes: weights, Cholesky
factors and minimizers, whose residuals are then bounded.

With z = W1 c + b1 at the center c of the box, G the columns of W1 at free entries times their
radii, and t in [-1, 1]^n, a margin is at least

    m - loss + l.t + sum_j low_j (G_j t)^2 + sum_k d_k (L_k t + q_k(t))^2

with q_k(t) = sum_j W2_kj (G_j t)^2 and |q_k| <= e_k. Form 0 takes 2 |sum d_k (L_k t) q_k| off, at
most, and sum max(-d_k, 0) e_k^2. Form 1 uses (L t + q)^2 >= (1 - n) (L t)^2 - (1 / n - 1) q^2 and,
where d_k < 0, the same with -n.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

try:
    from flint import arb, arb_mat, ctx
except ImportError:
    raise ImportError(
        "certificates are confirmed with python-flint: pip install python-flint"
    ) from None

__all__ = ["Network", "Piece", "RefusalError", "confirm", "main"]

PRECISION = 96


class RefusalError(Exception):
    """A file that is no certificate, or not of this network."""


def least(*balls: arb) -> arb:
    """One of several upper bounds: the one that looks smallest."""
    return min(balls, key=lambda ball: float(ball.mid()))


def total(balls: Iterable[arb]) -> arb:
    """The sum."""
    result = arb(0)
    for ball in balls:
        result += ball
    return result


def moduli(matrix: arb_mat) -> arb:
    """The sum of all moduli."""
    return total(abs(entry) for entry in matrix.entries())


def middle(matrix: arb_mat) -> np.ndarray:
    """The nearest doubles, or almost."""
    numbers = [float(entry.mid()) for entry in matrix.entries()]
    return np.array(numbers).reshape(matrix.nrows(), matrix.ncols())


def residual(matrix: arb_mat, factor: np.ndarray) -> arb:
    """The moduli of B - R R^T: the form of B is at least minus that on the box."""
    root = arb_mat(factor.tolist())
    return moduli(matrix - root * root.transpose())


def diagonal(numbers: Sequence[Any]) -> arb_mat:
    """The diagonal matrix."""
    found = arb_mat(len(numbers), len(numbers))
    for i, number in enumerate(numbers):
        found[i, i] = arb(number)
    return found


class Network:
    """W3 (W2 (W1 t(x) + b1)^2 + b2)^2 + b3 with a threshold t, or none.

    Args:
        path: of the .npz file.
    """

    def __init__(self, path: str) -> None:
        names = [f"{kind}{i}" for kind in ("weight", "bias") for i in (1, 2, 3)]
        with np.load(path, allow_pickle=False) as file:
            data = {name: file[name] for name in (*names, "log_slope", "middle")}
        digest = hashlib.sha256()
        for name in sorted(data):
            numbers = np.ascontiguousarray(data[name], "<f8")
            if not np.isfinite(numbers).all():
                raise RefusalError(f"{path}: {name} is not finite")
            digest.update(name.encode() + numbers.tobytes())
        self.digest = digest.hexdigest()
        first = data["weight1"]
        self.columns = [
            [(int(j), float(first[j, i])) for j in first[:, i].nonzero()[0]]
            for i in range(first.shape[1])
        ]
        self.first = arb_mat(*first.shape)
        for i, column in enumerate(self.columns):
            for j, weight in column:
                self.first[j, i] = weight
        self.second, self.third = (data[f"weight{i}"].astype(float) for i in (2, 3))
        self.bias = [[arb(float(v)) for v in data[f"bias{i}"]] for i in (1, 2, 3)]
        self.threshold = [
            (float(a), float(b)) for a, b in zip(data["log_slope"], data["middle"], strict=True)
        ]

    def box(self, claim: dict[str, Any], example: np.ndarray) -> tuple[list[float], list[float]]:
        """Doubles below and above every value of the threshold on the set."""
        if len(example) != len(self.columns):
            raise RefusalError("the example has another size than the network takes")
        if not 0 <= float(claim["eps"]) < float("inf"):
            raise RefusalError("the radius is no finite number >= 0")
        eps, ends = arb(float(claim["eps"])), ([], [])
        bounds = claim["bounds"] or (float("-inf"), float("inf"))
        for i, number in enumerate(example.tolist()):
            if not bounds[0] <= number <= bounds[1]:
                raise RefusalError("the example is outside of the bounds of the data")
            for side, (sign, bound) in enumerate(zip((-1, 1), bounds, strict=True)):
                value = arb(number) + sign * eps
                if np.isfinite(bound):
                    value = value.max(arb(bound)) if sign < 0 else value.min(arb(bound))
                if self.threshold:
                    slope, center = self.threshold[i]
                    value = (1 + (arb(slope).exp() * (value - center)).erf()) / 2
                outward = float((value.lower() if sign < 0 else value.upper()).mid())
                ends[side].append(float(np.nextafter(outward, sign * np.inf)))
        return ends

    def applied(self, x: Sequence[Any], absolute: bool = False) -> list[arb]:
        """W1 x, or |W1| x."""
        found = [arb(0)] * len(self.bias[0])
        for column, number in zip(self.columns, x, strict=True):
            if number != 0:
                for j, weight in column:
                    found[j] += (abs(weight) if absolute else weight) * arb(number)
        return found


class Piece:
    """The polynomials of all margins on one box.

    Args:
        network: with the three matrices.
        low, high: corners of the box behind the threshold.
        free: entries that are free; all others only widen the bounds.
    """

    def __init__(
        self, network: Network, low: list[float], high: list[float], free: list[int]
    ) -> None:
        self.network, self.free = network, free
        center = [a / 2 + b / 2 for a, b in zip(low, high, strict=True)]
        self.radius = [
            (arb(b) - c).max(arb(c) - a) for a, b, c in zip(low, high, center, strict=True)
        ]
        inside = set(free)
        if len(inside) < len(free) or not all(0 <= i < len(low) for i in free):
            raise RefusalError("the witness names entries that the box does not have")
        kept = [r if i in inside else arb(0) for i, r in enumerate(self.radius)]
        rest = [arb(0) if i in inside else r for i, r in enumerate(self.radius)]
        self.small = [i for i in range(len(low)) if i not in inside]
        self.z = [u + b for u, b in zip(network.applied(center), network.bias[0], strict=True)]
        self.moved = network.applied(kept, absolute=True)
        blurred = network.applied(rest, absolute=True)
        self.spill = [2 * m * s + s * s for m, s in zip(self.moved, blurred, strict=True)]
        self.units = sorted({j for i in free for j, _ in network.columns[i]})
        place = {j: n for n, j in enumerate(self.units)}
        self.columns = arb_mat(len(self.units), len(free))
        for n, i in enumerate(free):
            for j, weight in network.columns[i]:
                self.columns[place[j], n] = weight * self.radius[i]

        second = arb_mat(network.second.tolist())
        widths = arb_mat(np.abs(network.second).tolist())
        squares = arb_mat([[z * z] for z in self.z])
        values = (second * squares).entries()
        self.C = [v + b for v, b in zip(values, network.bias[1], strict=True)]
        slopes = arb_mat(
            [[2 * z * float(w) for z, w in zip(self.z, row, strict=True)] for row in network.second]
        )
        steep = (slopes * network.first).tolist()
        spread = [total(abs(row[i]) * self.radius[i] for i in self.small) for row in steep]
        spills = (widths * arb_mat([[v] for v in self.spill])).entries()
        self.error = [a + b for a, b in zip(spread, spills, strict=True)]
        self.inner = arb_mat(network.second[:, self.units].tolist())
        self.L = arb_mat([[row[i] * self.radius[i] for i in free] for row in steep])
        self.energy = loewner(self.L.transpose() * self.L)
        self.heights = [total(map(abs, row)) for row in self.L.tolist()]
        self.products = self._products()
        forms = self.inner * self.products
        bent = [self.moved[j] * self.moved[j] for j in self.units]
        self.reach = []
        for k in range(len(self.C)):
            row = network.second[k, self.units]
            up, down = (
                total(s * float(w) * b for w, b in zip(row, bent, strict=True) if s * w > 0)
                for s in (1, -1)
            )
            matrix = self._matrix([forms[k, n] for n in range(forms.ncols())])
            above, below = (
                least(largest(sign * matrix), loewner(sign * matrix)) for sign in (1, -1)
            )
            self.reach.append(least(up, above).max(least(down, below)).max(arb(0)))

    def _products(self) -> arb_mat:
        """Row j: the products G_ji G_jl for i <= l, twice where i < l."""
        found = []
        for row in self.columns.tolist():
            found.append(
                [
                    (1 if i == k else 2) * a * b
                    for i, a in enumerate(row)
                    for k, b in enumerate(row[i:], start=i)
                ]
            )
        return arb_mat(found)

    def _matrix(self, pairs: list[arb]) -> arb_mat:
        """The symmetric matrix of a form whose terms are these, in the order of `_products`."""
        n = len(self.free)
        found, position = arb_mat(n, n), 0
        for i in range(n):
            for k in range(i, n):
                found[i, k] = found[k, i] = pairs[position] / (1 if i == k else 2)
                position += 1
        return found

    def bound(self, label: int, other: int, form: int, dual: list[float]) -> arb:
        """A lower bound of one margin by one form."""
        network = self.network
        third, bias = network.third, network.bias[2]
        d = [arb(float(a)) - arb(float(b)) for a, b in zip(third[label], third[other], strict=True)]
        push = [2 * w * c for w, c in zip(d, self.C, strict=True)]
        low = (arb_mat([push]) * arb_mat(network.second.tolist())).entries()
        pulled = [2 * w * z for w, z in zip(low, self.z, strict=True)]
        slope = [total(pulled[j] * w for j, w in column) for column in network.columns]
        constant = (
            total(w * c * c for w, c in zip(d, self.C, strict=True)) + bias[label] - bias[other]
        )
        constant -= total(abs(slope[i]) * self.radius[i] for i in self.small)
        constant -= total(abs(w) * s for w, s in zip(low, self.spill, strict=True))
        for k, w in enumerate(d):
            height, error = self.heights[k] + self.reach[k], self.error[k]
            constant -= abs(w) * (2 * height * error + error * error)

        kept = []
        for k, w in enumerate(d):
            e = self.reach[k]
            if not (w > 0 or w <= 0):
                return arb("-inf")  # the sign is not known
            if form == 0:
                kept.append(w)
                constant -= (-w).max(arb(0)) * e * e
                continue
            norm = sum(float(v.mid()) ** 2 for v in self.L.tolist()[k]) ** 0.5
            share = float(np.clip(float(e.mid()) / (1.3 * norm + 1e-12), 1e-6, 1.0))
            share = arb(share) if w > 0 else arb(-share)
            kept.append(w * (1 - share))
            constant -= abs(w * (1 / share - 1)) * e * e
        if form == 0:
            couples = [abs(w) * e for w, e in zip(d, self.reach, strict=True)]
            each = total(c * h for c, h in zip(couples, self.heights, strict=True))
            at_once = (total(c * c for c in couples) * self.energy).sqrt()
            constant -= 2 * least(each, at_once)
        matrix = self._matrix((arb_mat([[low[j] for j in self.units]]) * self.products).entries())
        scaled = diagonal(kept) * self.L
        matrix += self.L.transpose() * scaled
        line = [slope[i] * self.radius[i] for i in self.free]
        if dual:
            return constant + by_dual(line, matrix, dual)
        return constant - total(map(abs, line)) - largest(-1 * matrix)


def largest(matrix: arb_mat) -> arb:
    """What a form is at most, by the moduli beside the diagonal and what is positive on it."""
    numbers = [matrix[i, i] for i in range(matrix.nrows())]
    return moduli(matrix) - total(map(abs, numbers)) + total(v.max(arb(0)) for v in numbers)


def loewner(matrix: arb_mat) -> arb:
    """What a form is at most: weights p that floats propose, and the residual of diag(p) - Q."""
    numbers = middle(matrix)
    norms = np.sqrt((numbers**2).sum(1))
    norms = norms + 1e-9 * norms.max() + 1e-200
    root = np.sqrt(norms)
    top = np.linalg.eigvalsh(numbers / root[:, None] / root[None])[-1]
    weights = (max(top, 0.0) * (1 + 1e-9) + 1e-9) * norms
    try:
        factor = np.linalg.cholesky(np.diag(weights) - numbers)
    except np.linalg.LinAlgError:
        return arb("inf")
    gap = diagonal(weights.tolist()) - matrix
    return total(map(arb, weights.tolist())) + residual(gap, factor)


def by_dual(line: list[arb], matrix: arb_mat, dual: list[float]) -> arb:
    """L.t + t^T A t is at least -|w|^2 - |l + 2 R w|_1 - sum D - residual, for A + D = R R^T.

    A little is added to D where A + D is not positive definite.
    """
    if len(dual) != len(line) or not all(np.isfinite(v) and v >= 0 for v in dual):
        raise RefusalError("a dual point has a negative entry, or another size than the form")
    lowest = np.linalg.eigvalsh(middle(matrix) + np.diag(dual))[0]
    dual = [v + max(0.0, -1.01 * lowest) + 1e-9 for v in dual]
    shifted = matrix + diagonal(dual)
    try:
        factor = np.linalg.cholesky(middle(shifted))
    except np.linalg.LinAlgError:
        return arb("-inf")
    w = np.linalg.solve(factor, [-float(v.mid()) / 2 for v in line])
    moved = (arb_mat(factor.tolist()) * arb_mat([[v] for v in w.tolist()])).entries()
    lost = total(arb(v) * arb(v) for v in w.tolist())
    lost += total(abs(v + 2 * m) for v, m in zip(line, moved, strict=True))
    return -(lost + total(map(arb, dual)) + residual(shifted, factor))


def proved(network: Network, low: list, high: list, label: int, other: int, witness: dict) -> bool:
    """Whether a margin is positive on a box, by the witness of the box or of its halves."""
    if "place" in witness:
        place, cut = int(witness["place"]), float(witness["middle"])
        first, second = witness["halves"]
        if not 0 <= place < len(low) or not low[place] <= cut <= high[place]:
            raise RefusalError("the witness cuts outside of the box")
        top, bottom = list(high), list(low)
        top[place] = bottom[place] = cut
        return proved(network, low, top, label, other, first) and proved(
            network, bottom, high, label, other, second
        )
    key = (id(network), tuple(low), tuple(high), tuple(witness["free"]))
    if _LAST.get("key") != key:
        _LAST.update(key=key, piece=Piece(network, low, high, list(map(int, witness["free"]))))
    bound = _LAST["piece"].bound(label, other, int(witness["form"]), list(witness["dual"]))
    return bool(bound > 0)


_LAST: dict[str, Any] = {}
"""The piece that was expanded last: all classes share it."""


def confirm(network: Network, path: str) -> tuple[bool, str]:
    """Whether a certificate holds, and in words what was found."""
    ctx.prec = PRECISION
    with np.load(path, allow_pickle=False) as file:
        claim, example = json.loads(str(file["claim"])), file["example"].astype(float)
    if claim["network"] != network.digest:
        raise RefusalError("the certificate is of another network")
    label, classes = int(claim["label"]), len(network.bias[2])
    if not 0 <= label < classes:
        raise RefusalError("the network has no such class")
    low, high = network.box(claim, example)
    for other in range(classes):
        if other == label:
            continue
        witness = claim["witness"].get(str(other))
        if witness is None or not proved(network, low, high, label, other, witness):
            return False, f"the margin over class {other} is not proved"
    return True, f"every point has class {label} at eps {claim['eps']}, in exact arithmetic"


def main() -> int:
    """Print a line for each certificate; 0 if all are confirmed, 1 if not, 2 for other files."""
    parser = argparse.ArgumentParser(description="Confirm certificates in ball arithmetic.")
    parser.add_argument("network")
    parser.add_argument("certificates", nargs="+")
    arguments = parser.parse_args()
    code = 0
    try:
        network = Network(arguments.network)
        for path in arguments.certificates:
            holds, words = confirm(network, path)
            print(f"{path}: {'confirmed' if holds else 'NOT confirmed'}: {words}")
            code = code if holds else 1
    except (RefusalError, OSError, LookupError, ValueError, TypeError) as error:
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return code


if __name__ == "__main__":
    sys.exit(main())
