"""Confirm certificates in ball arithmetic: numpy and python-flint alone, nothing of the package.

    python check.py NETWORK.npz CERTIFICATE.npz ...

A certificate says that all x' with |x' - x| <= eps, cut with the bounds of the data, have the label
of x, with margins no less than those it states: in exact arithmetic on the stored weights. Every
inequality below is decided by balls of python-flint that hold the exact number. Floating point only
proposes: weights, Cholesky factors and minimizers, whose residuals are then bounded.

`intervals` and `tangents` need no witness. A square on |z - c| <= r is 2 c z - c^2 + [0, r^2], so a
margin is a linear form of the last squares, or, substituted backwards, of the box behind the
threshold, up to an interval.

`second_order` and `splits` are for two layers of squares. For each other class their witness names
the free entries of the box behind the threshold, one of two quadratic forms, and a dual point; or
the entry at which the box is halved and the witnesses of both halves. With z = W1 c + b1 at the
center c of the box, G the columns of W1 at free entries times their radii, and t in [-1, 1]^n, a
margin is at least

    m - loss + l.t + sum_j low_j (G_j t)^2 + sum_k d_k (L_k t + q_k(t))^2

with q_k(t) = sum_j W2_kj (G_j t)^2 and |q_k| <= e_k. Form 0 takes 2 |sum d_k (L_k t) q_k| off, at
most, and sum max(-d_k, 0) e_k^2. Form 1 uses (L t + q)^2 >= (1 - n) (L t)^2 - (1 / n - 1) q^2 and,
where d_k < 0, the same with -n.
"""

import argparse
import hashlib
import json
import operator
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

try:
    from flint import arb, arb_mat, ctx
except ImportError:
    raise ImportError("certificates are checked with python-flint: pip install it") from None

__all__ = ["Network", "Piece", "RefusalError", "confirm", "main"]

PRECISION = 96
EIGENVALUES = 256  # free entries up to which they bound units of the second layer


class RefusalError(Exception):
    """A file that is no certificate, or not of this network."""


def each(function: Callable[..., Any], *matrices: arb_mat) -> arb_mat:
    """A function of the entries of matrices of one shape."""
    entries = zip(*(matrix.entries() for matrix in matrices), strict=True)
    found = [function(*numbers) for numbers in entries]
    return arb_mat(matrices[0].nrows(), matrices[0].ncols(), found)


def vector(numbers: Iterable[Any]) -> arb_mat:
    """Numbers as a matrix of one column."""
    found = list(numbers)
    return arb_mat(len(found), 1, found)


def scaled(matrix: arb_mat, factors: arb_mat) -> arb_mat:
    """Each column of a matrix times its factor."""
    return each(operator.mul, matrix, arb_mat([factors.entries()] * matrix.nrows()))


def form(rows: arb_mat, weights: arb_mat) -> arb_mat:
    """The matrix of sum_j w_j (rows_j . t)^2."""
    return scaled(rows.transpose(), weights) * rows


def dot(a: arb_mat, b: arb_mat) -> arb:
    """The sum of the products of entries."""
    return (a.transpose() * b)[0, 0]


def moduli(matrix: arb_mat) -> arb:
    """The sum of all moduli."""
    return sum(map(abs, matrix.entries()), arb(0))


def positive(number: arb) -> arb:
    """The number, or 0 where it is negative."""
    return number.max(arb(0))


def least(*balls: arb) -> arb:
    """One of several upper bounds: the one that looks smallest."""
    return min(balls, key=lambda ball: float(ball.mid()))


def middle(matrix: arb_mat) -> np.ndarray:
    """The nearest doubles, or almost."""
    numbers = [float(entry.mid()) for entry in matrix.entries()]
    return np.array(numbers).reshape(matrix.nrows(), matrix.ncols())


def halves(low: arb_mat, high: arb_mat) -> tuple[arb_mat, arb_mat]:
    """The center and the radius between two ends."""
    return (low + high) / 2, (high - low) / 2


class Network:
    """Affine layers with squares between them, behind a threshold or none.

    Args:
        path: of the .npz file: weight1, bias1 and so on, and squares, which says of each layer
            whether squares stand behind it. Layers with nothing between are multiplied.
    """

    def __init__(self, path: str) -> None:
        ctx.prec = PRECISION
        with np.load(path, allow_pickle=False) as file:
            count = len(file["squares"])
            names = [f"{kind}{i}" for kind in ("weight", "bias") for i in range(1, count + 1)]
            data = {name: file[name] for name in (*names, "squares", "log_slope", "middle")}
        digest = hashlib.sha256()
        for name in sorted(data):
            numbers = np.ascontiguousarray(data[name], "<f8")
            if not np.isfinite(numbers).all():
                raise RefusalError(f"{path}: {name} is not finite")
            digest.update(f"{name} {numbers.shape}".encode() + numbers.tobytes())
        self.digest = digest.hexdigest()
        self.weights: list[arb_mat] = []
        self.biases: list[arb_mat] = []
        squared = True
        for i in range(1, count + 1):
            weight, bias = arb_mat(data[f"weight{i}"].tolist()), vector(data[f"bias{i}"].tolist())
            if not squared:
                weight, bias = weight * self.weights.pop(), weight * self.biases.pop() + bias
            self.weights.append(weight)
            self.biases.append(bias)
            squared = bool(data["squares"][i - 1])
        if squared:
            raise RefusalError(f"{path}: the last layer is not affine")
        self.sizes = [each(abs, weight) for weight in self.weights]
        ends = (data[name].tolist() for name in ("log_slope", "middle"))
        self.threshold = list(zip(*ends, strict=True))
        self.last: tuple[Any, Piece | None] = None, None  # all classes share the piece

    def box(self, claim: dict[str, Any], example: np.ndarray) -> tuple[list[float], list[float]]:
        """Doubles below and above every value of the threshold on the set."""
        if len(example) != self.weights[0].ncols():
            raise RefusalError("the example has another size than the network takes")
        if not 0 <= float(claim["eps"]) < float("inf"):
            raise RefusalError("the radius is no finite number >= 0")
        eps, ends = arb(float(claim["eps"])), ([], [])
        bounds = claim["bounds"] or (-np.inf, np.inf)
        for i, number in enumerate(example.tolist()):
            if not bounds[0] <= number <= bounds[1]:
                raise RefusalError("the example is outside of the bounds of the data")
            pair = (arb(number) - eps).max(arb(bounds[0])), (arb(number) + eps).min(arb(bounds[1]))
            if self.threshold:
                slope, center = self.threshold[i]
                pair = [(1 + (arb(slope).exp() * (v - center)).erf()) / 2 for v in pair]
            low, high = float(pair[0].lower().mid()), float(pair[1].upper().mid())
            ends[0].append(float(np.nextafter(low, -np.inf)))
            ends[1].append(float(np.nextafter(high, np.inf)))
        return ends

    def margins(self, label: int, others: Sequence[int]) -> tuple[arb_mat, arb_mat]:
        """The last layer's row and bias of the label minus those of each of the classes."""
        rows, bias = self.weights[-1].tolist(), self.biases[-1].entries()
        found = [[v - w for v, w in zip(rows[label], rows[k], strict=True)] for k in others]
        return arb_mat(found), vector(bias[label] - bias[k] for k in others)

    def linear_bounds(
        self, low: list[float], high: list[float], label: int, others: list[int], back: bool
    ) -> list[arb]:
        """Lower bounds of margins by intervals, which linear forms on the box cut if `back`."""
        boxes = [halves(vector(low), vector(high))]
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            boxes.append(halves(*self._ends(boxes, weight, bias, back)))
        return self._ends(boxes, *self.margins(label, others), back)[0].entries()

    def _ends(
        self, boxes: list, rows: arb_mat, constant: arb_mat, back: bool
    ) -> tuple[arb_mat, arb_mat]:
        """Ends of rows.s + constant for s in the first box, or the squares of the last one."""
        center, radius = boxes[-1]
        if len(boxes) > 1:
            bottom = each(lambda c, r: positive(abs(c) - r) ** 2, center, radius)
            center, radius = halves(bottom, each(lambda c, r: (abs(c) + r) ** 2, center, radius))
        center, radius = rows * center + constant, each(abs, rows) * radius
        low, high = center - radius, center + radius
        if not back or len(boxes) == 1:
            return low, high
        lost = 0 * radius
        for level in range(len(boxes) - 1, 0, -1):
            center, radius = boxes[level]
            bent = each(lambda r: r * r / 2, radius)
            constant += rows * each(lambda b, c: b - c * c, bent, center)
            lost += each(abs, rows) * bent
            rows = scaled(rows, 2 * center)
            constant += rows * self.biases[level - 1]
            rows *= self.weights[level - 1]
        center, radius = boxes[0]
        center, radius = rows * center + constant, each(abs, rows) * radius + lost
        return each(arb.max, low, center - radius), each(arb.min, high, center + radius)

    def witnessed(self, low: list, high: list, label: int, other: int, witness: Any) -> list[arb]:
        """Lower bounds of a margin: by the witness of the box, or by those of all its pieces."""
        if witness is None:
            return [arb("-inf")]
        if "place" in witness:
            place, cut = int(witness["place"]), float(witness["middle"])
            first, second = witness["halves"]
            if not 0 <= place < len(low) or not low[place] <= cut <= high[place]:
                raise RefusalError("the witness cuts outside of the box")
            top, bottom = list(high), list(low)
            top[place] = bottom[place] = cut
            below = self.witnessed(low, top, label, other, first)
            return below + self.witnessed(bottom, high, label, other, second)
        key, piece = (low, high, witness["free"]), self.last[1]
        if piece is None or key != self.last[0]:
            piece = Piece(self, low, high, list(map(int, witness["free"])))
            self.last = key, piece
        return [piece.bound(label, other, int(witness["form"]), list(witness["dual"]))]


class Piece:
    """The polynomials of all margins on one box.

    Args:
        network: of two layers of squares.
        low, high: corners of the box behind the threshold.
        free: entries that are free; all others only widen the bounds.
    """

    def __init__(
        self, network: Network, low: list[float], high: list[float], free: list[int]
    ) -> None:
        if len(network.weights) != 3:
            raise RefusalError("second order is confirmed of two layers of squares alone")
        if len(set(free)) < len(free) or not all(0 <= i < len(low) for i in free):
            raise RefusalError("the witness names entries that the box does not have")
        self.network, (first, second, _) = network, network.weights
        center, radius = halves(vector(low), vector(high))
        self.free, self.radius = free, radius
        kept = vector(r * (i in free) for i, r in enumerate(radius.entries()))
        self.rest = vector(r * (i not in free) for i, r in enumerate(radius.entries()))
        self.z = first * center + network.biases[0]
        moved, blurred = network.sizes[0] * kept, network.sizes[0] * self.rest
        self.spill = each(lambda m, s: 2 * m * s + s * s, moved, blurred)
        self.units = [j for j in range(first.nrows()) if not moved[j, 0].is_zero()]
        self.columns = self.at_free(first, self.units)
        self.C = second * each(lambda z: z * z, self.z) + network.biases[1]
        steep = scaled(second, 2 * self.z) * first
        self.error = each(abs, steep) * self.rest + network.sizes[1] * self.spill
        self.L = self.at_free(steep, range(steep.nrows()))
        self.energy = loewner(self.L.transpose() * self.L)
        self.heights = each(abs, self.L) * vector([1.0] * len(free))
        bent = vector(moved[j, 0] ** 2 for j in self.units)
        reach = []
        for k in range(second.nrows()):
            weights = vector(second[k, j] for j in self.units)
            matrix, ends = form(self.columns, weights), []
            for w, q in ((weights, matrix), (-weights, -matrix)):
                bounds = [dot(each(positive, w), bent)]
                if len(free) <= EIGENVALUES:
                    bounds += [largest(q), loewner(q)]
                ends.append(least(*bounds))
            reach.append(positive(ends[0].max(ends[1])))
        self.reach = vector(reach)

    def at_free(self, matrix: arb_mat, rows: Sequence[int]) -> arb_mat:
        """Rows of a matrix at the free entries, times their radii."""
        found = [matrix[j, i] * self.radius[i, 0] for j in rows for i in self.free]
        return arb_mat(len(rows), len(self.free), found)

    def bound(self, label: int, other: int, kind: int, dual: list[float]) -> arb:
        """A lower bound of one margin by one form."""
        row, bias = self.network.margins(label, [other])
        d, (first, second, _) = row.transpose(), self.network.weights
        low = second.transpose() * each(lambda w, c: 2 * w * c, d, self.C)
        slope = first.transpose() * each(lambda w, z: 2 * w * z, low, self.z)
        constant = bias[0, 0] + dot(d, each(lambda c: c * c, self.C))
        constant -= dot(each(abs, slope), self.rest) + dot(each(abs, low), self.spill)
        sums = each(lambda h, e: 2 * h * e + e * e, self.heights + self.reach, self.error)
        constant -= dot(each(abs, d), sums)
        kept, norms = [], np.linalg.norm(middle(self.L), axis=1)
        for w, e, norm in zip(d.entries(), self.reach.entries(), norms, strict=True):
            if not (w > 0 or w <= 0):
                return arb("-inf")  # the sign is not known
            if kind == 0:
                kept.append(w)
                constant -= positive(-w) * e * e
                continue
            share = float(np.clip(float(e.mid()) / (1.3 * norm + 1e-12), 1e-6, 1.0))
            share = arb(share) if w > 0 else arb(-share)
            kept.append(w * (1 - share))
            constant -= abs(w * (1 / share - 1)) * e * e
        if kind == 0:
            couples = each(lambda w, e: abs(w) * e, d, self.reach)
            at_once = (dot(couples, couples) * self.energy).sqrt()
            constant -= 2 * least(dot(couples, self.heights), at_once)
        matrix = form(self.columns, vector(low[j, 0] for j in self.units))
        matrix += form(self.L, vector(kept))
        line = self.at_free(slope.transpose(), [0]).transpose()
        if dual:
            return constant + by_dual(line, matrix, dual)
        return constant - moduli(line) - largest(-matrix)


def residual(matrix: arb_mat, factor: np.ndarray) -> arb:
    """The moduli of B - R R^T: the form of B is at least minus that on the box."""
    root = arb_mat(factor.tolist())
    return moduli(matrix - root * root.transpose())


def largest(matrix: arb_mat) -> arb:
    """What a form is at most, by the moduli beside the diagonal and what is positive on it."""
    on = vector(matrix[i, i] for i in range(matrix.nrows()))
    return moduli(matrix) - moduli(on) + moduli(each(positive, on))


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
    return moduli(vector(weights)) + residual(arb_mat(np.diag(weights).tolist()) - matrix, factor)


def by_dual(line: arb_mat, matrix: arb_mat, dual: list[float]) -> arb:
    """L.t + t^T A t is at least -|w|^2 - |l + 2 R w|_1 - sum D - residual, for A + D = R R^T.

    A little is added to D where A + D is not positive definite.
    """
    if len(dual) != line.nrows() or not all(np.isfinite(v) and v >= 0 for v in dual):
        raise RefusalError("a dual point has a negative entry, or another size than the form")
    values = np.linalg.eigvalsh(middle(matrix) + np.diag(dual))
    dual = [v + 1e-13 * abs(values).max() - 1.01 * min(0.0, values[0]) for v in dual]
    shifted = matrix + arb_mat(np.diag(dual).tolist())
    try:
        factor = np.linalg.cholesky(middle(shifted))
    except np.linalg.LinAlgError:
        return arb("-inf")
    w = vector(np.linalg.solve(factor, -middle(line)[:, 0] / 2).tolist())
    lost = dot(w, w) + moduli(line + 2 * arb_mat(factor.tolist()) * w)
    return -(lost + moduli(vector(dual)) + residual(shifted, factor))


def confirm(network: Network, path: str) -> tuple[bool, str]:
    """Whether a certificate holds with its margins, and in words what was found."""
    ctx.prec = PRECISION
    with np.load(path, allow_pickle=False) as file:
        claim, example = json.loads(str(file["claim"])), file["example"].astype(float)
        stated = file["margins"].tolist()
    if claim["network"] != network.digest:
        raise RefusalError("the certificate is of another network")
    label = int(claim["label"])
    if not 0 <= label < len(stated) == network.biases[-1].nrows():
        raise RefusalError("the network has no such class")
    others = [k for k in range(len(stated)) if k != label]
    low, high = network.box(claim, example)
    if claim["method"] in ("intervals", "tangents"):
        back = claim["method"] == "tangents"
        table = [[bound] for bound in network.linear_bounds(low, high, label, others, back)]
    else:
        found = ((k, claim["witness"].get(str(k))) for k in others)
        table = (network.witnessed(low, high, label, k, witness) for k, witness in found)
    for other, bounds in zip(others, table, strict=True):
        if not all(bound > 0 and bound >= stated[other] for bound in bounds):
            return False, f"the margin over class {other} is not proved to be {stated[other]}"
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
