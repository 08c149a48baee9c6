"""Confirm certificates in ball arithmetic: numpy and python-flint alone, nothing of the package.

A certificate says that all x' with |x' - x| <= eps, cut with the bounds of the data, have the label
of x, with margins no less than stated, in exact arithmetic on the stored weights. Floats propose
weights, factors and minimizers; balls decide every inequality. Intervals and linear forms need no
witness. Else there is one for each other class: the free entries of the box behind the threshold,
a share n and an offset s of each square but the first ones, and a dual point; or where the box is
halved, and the witnesses of both halves, none for linear forms. With t in [-1, 1]^n the free
entries over their radii, C_i, L_i value and derivative of the i-th squares' input, a margin is

    m - sum_ij w_ij s_ij^2 + l.t + sum_ij w_ij (L_ij t + h_ij(t) - s_ij)^2

but for the other entries, where w are its weights on squares, pulled back by 2 (C + s). With s = 0
so is h, |h| <= e, of each later unit. For n > 0, -n for w < 0, w (u + h)^2 is at least
w ((1 - n) u^2 - (1 / n - 1) h^2). D > 0 may be there too: h is m + q x but for a rest, with
x_ij = t_i t_j, x_ii = 2 t_i^2 - 1. For R R^T >= q D^-1 q^T, q x is R v, |v|^2 <= x^T D x <= sum D.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from flint import arb, arb_mat, ctx  # missing? pip install python-flint

__all__ = ["Network", "Piece", "RefusalError", "confirm", "main"]


class RefusalError(Exception):
    """A file that is no certificate, or not of this network."""


def each(function: Callable[..., Any], *matrices: arb_mat) -> arb_mat:
    """A function of the entries of matrices of one shape."""
    found = [function(*v) for v in zip(*(m.entries() for m in matrices), strict=True)]
    return arb_mat(matrices[0].nrows(), matrices[0].ncols(), found)


def squared(matrix: arb_mat) -> arb_mat:
    """The squares of the entries."""
    return each(lambda v: v * v, matrix)


def vector(numbers: Iterable[Any]) -> arb_mat:
    """Numbers as a matrix of one column."""
    return arb_mat([[number] for number in numbers])


def scaled(matrix: arb_mat, factors: arb_mat) -> arb_mat:
    """Each column of a matrix times its factor."""
    factors = arb_mat(matrix.nrows(), matrix.ncols(), factors.entries() * matrix.nrows())
    return each(lambda v, w: v * w, matrix, factors)


def dot(a: arb_mat, b: arb_mat) -> arb:
    """The sum of the products of entries."""
    return (a.transpose() * b)[0, 0]


def moduli(matrix: arb_mat) -> arb:
    """The sum of all moduli."""
    return sum(map(abs, matrix.entries()), arb(0))


def middle(matrix: arb_mat) -> np.ndarray:
    """The nearest doubles, or almost."""
    return np.array([float(v.mid()) for v in matrix.entries()]).reshape(matrix.nrows(), -1)


def halves(low: arb_mat, high: arb_mat) -> Any:
    """The center and the radius between two ends."""
    return (low + high) / 2, (high - low) / 2


class Network:
    """Affine layers and the squares that the file puts between them, behind a threshold or none."""

    @ctx.workprec(96)
    def __init__(self, path: str) -> None:
        with open(path, "rb") as content, np.load(content, allow_pickle=False) as file:
            count = len(file["squares"])
            names = [f"{kind}{i}" for kind in ("weight", "bias") for i in range(1, count + 1)]
            data = {name: file[name] for name in (*names, "squares", "log_slope", "middle")}
        digest = hashlib.sha256()
        for name in sorted(data):
            if data[name].dtype.kind != "f" or not np.isfinite(data[name]).all():
                raise RefusalError(f"{name} holds no real floating numbers, or is not finite")
            numbers = np.ascontiguousarray(data[name], "<f8")
            digest.update(f"{name} {numbers.shape}".encode() + numbers.tobytes())
        self.digest = digest.hexdigest()
        self.weights, self.biases = list[arb_mat](), list[arb_mat]()
        squares = [True, *map(bool, data["squares"])]
        for i in range(1, count + 1):
            weight, bias = arb_mat(data[f"weight{i}"].tolist()), vector(data[f"bias{i}"].tolist())
            if not squares[i - 1]:
                weight, bias = weight * self.weights.pop(), weight * self.biases.pop() + bias
            self.weights.append(weight)
            self.biases.append(bias)
        if squares[-1]:
            raise RefusalError("the last layer is not affine")
        self.threshold = [*zip(data["log_slope"].tolist(), data["middle"].tolist(), strict=True)]
        self.last: Any = None, None  # all classes share the piece

    def box(self, claim: dict[str, Any], example: np.ndarray) -> Any:
        """Doubles below and above every value of the threshold on the set."""
        if example.dtype.kind != "f" or len(example) != self.weights[0].ncols():
            raise RefusalError("the example holds no real numbers or has another size than needed")
        bounds, eps, ends = claim["bounds"] or (-np.inf, np.inf), float(claim["eps"]), ([], [])
        if not 0 <= eps < np.inf or not all(bounds[0] <= v <= bounds[1] for v in example.tolist()):
            raise RefusalError("no finite radius >= 0, or an example outside of the bounds of data")
        for i, number in enumerate(example.tolist()):
            pair = (arb(number) - eps).max(arb(bounds[0])), (arb(number) + eps).min(arb(bounds[1]))
            if self.threshold:
                slope, center = self.threshold[i]
                pair = [(1 + (arb(slope).exp() * (v - center)).erf()) / 2 for v in pair]
            ends[0].append(float(np.nextafter(float(pair[0].lower().mid()), -np.inf)))
            ends[1].append(float(np.nextafter(float(pair[1].upper().mid()), np.inf)))
        return ends

    def margins(self, label: int, others: Sequence[int]) -> tuple[arb_mat, arb_mat]:
        """The last layer's row and bias of the label minus those of each of the classes."""
        count = self.biases[-1].nrows()
        less = arb_mat([[(i == label) - (i == k) for i in range(count)] for k in others])
        return less * self.weights[-1], less * self.biases[-1]

    def linear_bounds(self, box: Any, label: int, others: list[int], back: bool) -> Any:
        """Lower bounds of margins by intervals, which linear forms on the box cut if `back`."""
        boxes = [halves(vector(box[0]), vector(box[1]))]
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            boxes.append(halves(*self._ends(boxes, weight, bias, back)))
        return self._ends(boxes, *self.margins(label, others), back)[0].tolist()

    def _ends(self, boxes: list[Any], rows: arb_mat, constant: arb_mat, back: bool) -> Any:
        """Ends of rows.s + constant for s in the first box, or the squares of the last one."""
        center, radius = boxes[-1]
        if len(boxes) > 1:
            low, high = each(abs, center) - radius, each(abs, center) + radius
            center, radius = halves(squared(each(arb.max, low, 0 * low)), squared(high))
        center, radius = rows * center + constant, each(abs, rows) * radius
        low, high = center - radius, center + radius
        if not back or len(boxes) == 1:
            return low, high
        lost = 0 * radius
        for level in range(len(boxes) - 1, 0, -1):
            center, radius = boxes[level]
            bent, moved = squared(radius) / 2, scaled(rows, 2 * center)
            constant += rows * (bent - squared(center)) + moved * self.biases[level - 1]
            lost += each(abs, rows) * bent
            rows = moved * self.weights[level - 1]
        center, radius = boxes[0]
        center, radius = rows * center + constant, each(abs, rows) * radius + lost
        return each(arb.max, low, center - radius), each(arb.min, high, center + radius)

    def witnessed(self, box: Any, label: int, other: int, witness: Any) -> list[arb]:
        """Lower bounds of a margin: by the witness of the box, none, or those of all its pieces."""
        if not witness:
            return self.linear_bounds(box, label, [other], back=True)[0]
        if "place" in witness:
            (low, high), place, cut = box, int(witness["place"]), float(witness["middle"])
            if not 0 <= place < len(low) or not low[place] <= cut <= high[place]:
                raise RefusalError("the witness cuts outside of the box")
            top, bottom = [*high], [*low]
            top[place] = bottom[place] = cut
            parts = zip(((low, top), (bottom, high)), witness["halves"], strict=True)
            return [v for part, half in parts for v in self.witnessed(part, label, other, half)]
        if (key := (box, witness["free"])) != self.last[0]:
            self.last = key, Piece(self, box, list(map(int, witness["free"])))
        return [self.last[1].bound(label, other, witness)]


class Layer:
    """What squares take: center + rows.t + h to within `error` in the first layer, |h| <= reach."""

    def __init__(self, center: arb_mat, rows: arb_mat, reach: arb_mat, error: arb_mat) -> None:
        self.center, self.rows, self.reach, self.error = center, rows, reach, error
        self.middle = self.bends = self.rest = 0 * center  # m, q and m, rest of h
        self.heights = each(abs, rows) * vector([1.0] * rows.ncols())
        self.loss = each(lambda h, e: 2 * h * e + e * e, self.heights + reach, error)
        norms = np.linalg.norm(middle(rows), axis=1) + 1e-150
        self.fitting = np.clip(middle(reach)[:, 0] / norms, 1e-300, 1e6).tolist()

    def form(self, weights: arb_mat) -> arb_mat:
        """The matrix of sum_j w_j (rows_j . t)^2."""
        return scaled(self.rows.transpose(), weights) * self.rows

    def split(self, weights: arb_mat, shares: list[float]) -> tuple[arb_mat, arb]:
        """Weights of (rows_j . t)^2 in sum_j w_j (rows_j . t + h_j)^2, and what the rest takes."""
        kept, taken = [], arb(0)
        for w, e, share in zip(weights.entries(), self.reach.entries(), shares, strict=True):
            n = arb(min(share, 1.0)) if w > 0 else -arb(share)
            kept.append(w * (1 - n))
            taken += w * (1 / n - 1) * e * e if w > 0 or w <= 0 else arb("inf")
        return vector(kept), taken


class Piece:
    """The polynomials of all margins on a box. Entries that are not free only widen the bounds."""

    def __init__(self, network: Network, box: Any, free: list[int]) -> None:
        if len(set(free)) < len(free) or not all(0 <= i < len(box[0]) for i in free):
            raise RefusalError("the witness names entries that the box does not have")
        self.network, self.free = network, free
        self.products = [(i, j) for i in range(len(free)) for j in range(i, len(free))]
        center, radius = halves(vector(box[0]), vector(box[1]))
        self.radius = radius.entries()
        self.fixed = vector(r * (i not in free) for i, r in enumerate(self.radius))
        (first, *inner, _), (bias, *biases, _) = network.weights, network.biases
        rows = arb_mat([[row[i] * self.radius[i] for i in free] for row in first.tolist()])
        self.layers = [Layer(first * center + bias, rows, 0 * bias, each(abs, first) * self.fixed)]
        self.pulls = [[([], rows, arb(0))] * bias.nrows()]
        for weight, bias in zip(inner, biases, strict=True):
            center = weight * squared(self.layers[-1].center) + bias
            none = [0 * layer.center for layer in self.layers]
            pulled = [self.pulled(vector(row), *none) for row in weight.tolist()]
            rows = arb_mat([line.entries() for _, line, _ in pulled])
            reach = vector(self.reach(pairs) + lost for pairs, _, lost in pulled)
            self.layers.append(Layer(center, rows, reach, 0 * center))
            self.pulls.append(pulled)

    def pulled(self, weights: arb_mat, *offsets: arb_mat) -> tuple[list[Any], arb_mat, arb]:
        """Weights of the last squares as those of each layer's, of t, and what is lost below."""
        pairs, lost, below = [], arb(0), self.network.weights[len(self.layers) - 1 :: -1]
        for matrix, layer, s in zip(below, self.layers[::-1], offsets[::-1], strict=True):
            pairs.insert(0, (weights, layer))
            beside = each(lambda s, e: 2 * abs(s) * e, s, layer.error)
            lost += dot(each(abs, weights), layer.loss + beside)
            weights = matrix.transpose() * each(lambda w, c: 2 * w * c, weights, layer.center + s)
        lost += dot(each(abs, weights), self.fixed)
        return pairs, vector(weights[i, 0] * self.radius[i] for i in self.free), lost

    @cached_property
    def bent(self) -> list[Layer]:
        """The layers with their bends and the rest of h."""
        for layer, pulled in zip(self.layers, self.pulls, strict=True):
            n, rows, rests = len(self.free), [], [lost for _, _, lost in pulled]
            for i, (pairs, _, _) in enumerate(pulled):
                form = sum((z.form(w) for w, z in pairs), arb_mat(n, n))
                rows.append([form[j, k] * (2 if j < k else 0.5) for j, k in self.products])
                rows[i].append(sum((form[j, j] for j in range(n)), arb(0)) / 2)
                rests[i] += sum((crossed(w, z) for w, z in pairs[1:]), arb(0))
            layer.bends, layer.rest = arb_mat(rows), vector(rests)
        return self.layers

    def reach(self, pairs: list[Any]) -> arb:
        """|h| of a unit at most: its form, when all squares are split by shares that fit."""
        ends = []
        for sign in (1, -1):
            matrix, bound, taken = arb_mat(len(self.free), len(self.free)), arb(0), arb(0)
            for weights, layer in pairs:
                kept, lost = layer.split(-sign * weights, layer.fitting)
                matrix, taken = matrix + layer.form(kept), taken + lost
                bound += dot(each(arb.max, -kept, 0 * kept), squared(layer.heights))
            bound = min(bound, loewner(-matrix), key=arb.mid) if len(self.free) <= 256 else bound
            ends.append(bound + taken)
        return ends[0].max(ends[1])

    def bound(self, label: int, other: int, witness: dict[str, Any]) -> arb:
        """A lower bound of one margin by a share and an offset of each later square."""
        units, dual, products = (witness[key] for key in ("units", "dual", "products"))
        if not all(0 < share < np.inf for own in units for share, _ in own):
            raise RefusalError("a share is not positive, or not finite")
        row, bias = self.network.margins(label, [other])
        offsets = [vector(offset for _, offset in own) for own in units]
        pairs, line, lost = self.pulled(row.transpose(), 0 * self.layers[0].center, *offsets)
        (first, *layers), total = self.lifted(products) if products else (self.layers, arb(0))
        constant = (row * squared(self.layers[-1].center) + bias)[0, 0] - lost - total
        matrix, n = first.form(pairs[0][0]), len(self.free)
        for i in range(n, matrix.nrows()):
            matrix[i, i] += total
        line = vector(line.entries() + [arb(0)] * (matrix.nrows() - n))
        for (weights, _), layer, own, s in zip(pairs[1:], layers, units, offsets, strict=True):
            kept, taken = layer.split(weights, [share for share, _ in own])
            away = s - layer.middle
            matrix += layer.form(kept)
            line -= layer.rows.transpose() * each(lambda v, s: 2 * v * s, kept, away)
            constant += dot(kept, squared(away)) - dot(weights, squared(s)) - taken
        if dual:
            return constant + by_dual(line, matrix, dual)
        return constant - moduli(line) - moduli(matrix) + sum(matrix[i, i].max(0) for i in range(n))

    def lifted(self, price: list[float]) -> tuple[list[Layer], arb]:
        """The layers with rows of t and v, and the sum of D."""
        if len(price) != len(self.products) or not all(0 < v < np.inf for v in price):
            raise RefusalError("multipliers of products are not positive, or of another number")
        bends = arb_mat([row[:-1] for z in self.bent for row in z.bends.tolist()])
        rows = (beside := scaled(bends, vector(1 / arb(v).sqrt() for v in price))).tolist()
        used = [j for j, row in enumerate(rows) if not all(v.is_zero() for v in row)]
        if len(used) < len(price):
            gram = (own := arb_mat([rows[j] for j in used])) * own.transpose()
            room = 1e-6 / len(used) * sum((gram[i, i].mid() for i in range(len(used))), arb(0))
            root, lost = factored(gram + arb_mat(np.eye(len(used)).tolist()) * room)
            if not lost < room:
                raise RefusalError("no factor is found for the multipliers of products")
            beside = arb_mat([[float(i == j) for j in used] for i in range(len(rows))]) * root
        total, layers = moduli(vector(price)), list[Layer]()
        more = iter((beside * total.sqrt()).tolist())
        for z in self.layers:
            rows = arb_mat([row + next(more) for row in z.rows.tolist()])
            layers.append(Layer(z.center, rows, z.rest, z.error))
            layers[-1].middle = vector(row[-1] for row in z.bends.tolist())
        return layers, total


def crossed(weights: arb_mat, z: Layer) -> arb:
    """The modulus of sum_j w_j (2 u_j h_j + h_j^2) at most, where u = rows.t."""
    matrix = scaled(z.rows.transpose(), 2 * weights) * z.bends  # of t and x, with a last x of 1
    norms = np.linalg.norm(middle(matrix), axis=0) + 1e-200
    price = vector((norms + 1e-3 * norms.mean()).tolist())
    form = scaled(matrix, each(lambda v: 1 / v, price)) * matrix.transpose()
    most, sizes = z.reach + z.rest, each(abs, weights)
    apart = dot(sizes, each(lambda u, h: 2 * u * h, z.heights, most))
    beside = min((loewner(form) * moduli(price)).sqrt(), apart, key=arb.mid)
    up, down = (dot(each(arb.max, w, 0 * w), squared(most)) for w in (weights, -weights))
    beside += dot(sizes, each(lambda r, u, h: r * (2 * u + 2 * h + r), z.rest, z.heights, most))
    return up.max(down) + beside


def factored(matrix: arb_mat) -> tuple[arb_mat, arb]:
    """R by floats, and the moduli of B - R R^T: the form of B is at least minus that on the box."""
    try:
        root = arb_mat(np.linalg.cholesky(middle(matrix)).tolist())
    except np.linalg.LinAlgError:
        return arb_mat(np.eye(matrix.nrows()).tolist()), arb("inf")
    return root, moduli(matrix - root * root.transpose())


def loewner(matrix: arb_mat) -> arb:
    """What a form is at most: weights p that floats propose, and the residual of diag(p) - Q."""
    numbers, weights = middle(matrix), multipliers(middle(matrix))
    top = np.linalg.eigvalsh(numbers - np.diag(weights))[-1]
    weights += 1.01 * max(top, 0.0) + 1e-9 * weights.max() + 1e-200
    return moduli(vector(weights)) + factored(arb_mat(np.diag(weights).tolist()) - matrix)[1]


def multipliers(matrix: np.ndarray) -> np.ndarray:
    """Nearly the least p >= 0 with diag(p) - Q >= 0: each of n unit vectors turns to the others."""
    n, diagonal = len(matrix), matrix.diagonal()
    beside, v = matrix - np.diag(diagonal), np.random.default_rng(0).normal(size=(n, 24))
    for i in [*range(n)] * 24:
        pull = beside[i] @ v
        v[i] = pull / max(np.linalg.norm(pull), -diagonal[i], 1e-200)
    return np.maximum(np.linalg.norm(beside @ v, axis=1) + diagonal, 0.0)


def by_dual(line: arb_mat, matrix: arb_mat, dual: list[float]) -> arb:
    """L.t + t^T A t is at least -|w|^2 - |l + 2 R w|_1 - sum D - residual, for A + D = R R^T."""
    if len(dual) != line.nrows() or not all(np.isfinite(v) and v >= 0 for v in dual):
        raise RefusalError("a dual point has a negative entry, or another size than the form")
    values = np.linalg.eigvalsh(middle(matrix) + np.diag(dual))
    dual = [v + 1e-13 * abs(values).max() - 1.01 * min(0.0, values[0]) for v in dual]
    root, residual = factored(matrix + arb_mat(np.diag(dual).tolist()))
    w = vector(np.linalg.solve(middle(root), -middle(line)[:, 0] / 2).tolist())
    return -(dot(w, w) + moduli(line + 2 * root * w) + moduli(vector(dual)) + residual)


@ctx.workprec(96)
def confirm(network: Network, path: str) -> tuple[bool, str]:
    """Whether a certificate holds with its margins, and in words what was found."""
    with open(path, "rb") as content, np.load(content, allow_pickle=False) as file:
        claim, example = json.loads(str(file["claim"])), file["example"]
        stated = file["margins"].tolist()
    if claim["network"] != network.digest:
        raise RefusalError("the certificate is of another network")
    if not 0 <= (label := int(claim["label"])) < len(stated) == network.biases[-1].nrows() > 1:
        raise RefusalError("the network has no such class, or no other one")
    others, box = [k for k in range(len(stated)) if k != label], network.box(claim, example)
    if not claim["witness"]:
        table = network.linear_bounds(box, label, others, claim["method"] == "tangents")
    else:
        table = (network.witnessed(box, label, k, claim["witness"][str(k)]) for k in others)
    for other, bounds in zip(others, table, strict=True):
        if not all(bound > 0 and bound >= stated[other] for bound in bounds):
            return False, f"the margin over class {other} is not proved to be {stated[other]}"
    return True, f"every point has class {label} at eps {claim['eps']}, in exact arithmetic"


def main() -> int:
    """Print a line for each certificate; 0 if all are confirmed, 1 if not, 2 for other files."""
    if len(sys.argv) < 3:
        sys.exit(f"usage: {sys.argv[0]} NETWORK.npz CERTIFICATE.npz ...")
    _, path, *certificates = sys.argv
    try:
        code, network = 0, Network(path)
        for path in certificates:
            holds, words = confirm(network, path)
            print(f"{path}: {'confirmed' if holds else 'NOT confirmed'}: {words}")
            code = code if holds else 1
    except Exception as error:  # a damaged file can raise anything
        named = isinstance(error, RefusalError | OSError)
        words = error if named else f"damaged ({type(error).__name__}: {error})"
        print(f"error: {path}: {words}", file=sys.stderr)
        return 2
    return code


if __name__ == "__main__":
    sys.exit(main())
