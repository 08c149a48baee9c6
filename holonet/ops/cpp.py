"""C++ for the CPU: planar expressions over contiguous complex arrays, vectorized and threaded.

The code uses torch's own vector classes, which exist for every instruction set that torch is built
for. A library holds several functions, since most of a compilation goes into the headers.
"""

from collections.abc import Mapping, Sequence
from importlib import resources
from itertools import chain
from string import Template
from types import MappingProxyType

from holonet.ops.planar import Program, Real, in_order

__all__ = ["emit"]

SHORT = 128
"""Operations; so few depend on one another too much to keep a processor busy with one vector."""

_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
_CONDITIONS = {"and", "le", "lt", "or"}
_BOUNDS = {"maximum": "at_least", "minimum": "at_most"}
_CALLS: Mapping[str, str] = MappingProxyType(
    {
        "and": "({0} & {1})",
        "atan2": "atan2_({0}, {1})",
        "copysign": "copysign_({0}, {1})",
        "cos": "sincos({0}, range).second",
        "exp": "exp_({0})",
        "expm1": "expm1_({0})",
        "le": "le({0}, {1})",
        "log": "log_({0}, range)",
        "log1p": "log1p_({0}, range)",
        "lt": "lt({0}, {1})",
        "maximum": "at::vec::maximum({0}, {1})",
        "minimum": "at::vec::minimum({0}, {1})",
        "or": "({0} | {1})",
        "sin": "sincos({0}, range).first",
        "where": "select({0}, {1}, {2})",
    }
)

_LIBRARY = Template("""\
#include <ATen/cpu/vec/vec.h>
#include <algorithm>
#include <cstdint>
#include <utility>

#define DOUBLE $double
using T = $scalar;
using V = at::vec::Vectorized<T>;
constexpr int64_t W = V::size();
constexpr int64_t CHUNK = 2048;

$vector

// How numbers lie in memory: part by part, each of them behind a pointer of its own, or as pairs.
struct Apart {
  static constexpr int PARTS = 2, STRIDE = 1;
  static inline std::pair<V, V> load(const T* const* in, int k, int64_t at) {
    return {V::loadu(in[2 * k] + at), V::loadu(in[2 * k + 1] + at)};
  }
  static inline void store(T* const* out, int k, int64_t at, const V& re, const V& im) {
    re.store(out[2 * k] + at);
    im.store(out[2 * k + 1] + at);
  }
};
struct Paired {
  static constexpr int PARTS = 1, STRIDE = 2;
  static inline std::pair<V, V> load(const T* const* in, int k, int64_t at) {
    return at::vec::deinterleave2(V::loadu(in[k] + 2 * at), V::loadu(in[k] + 2 * at + W));
  }
  static inline void store(T* const* out, int k, int64_t at, const V& re, const V& im) {
    const auto [first, second] = at::vec::interleave2<T>(re, im);
    first.store(out[k] + 2 * at);
    second.store(out[k] + 2 * at + W);
  }
};

// Apart from the loop, which it would burden with the library's calls.
template <typename Op, typename Layout>
[[gnu::noinline]] static void checked_block(const T* const* in, T* const* out) {
  Op::template block<Checked, Layout>(in, out);
}

// What is left at the end goes through a buffer of a block's size, with its last number repeated.
template <typename Op, typename Layout>
static inline void span(const T* const* in, T* const* out, int64_t count) {
  constexpr int IN = Op::IN * Layout::PARTS, OUT = Op::OUT * Layout::PARTS, S = Layout::STRIDE;
  const T* from[IN];
  T* to[OUT];
  int64_t i = 0;
  for (; i + Op::BLOCK <= count; i += Op::BLOCK) {
    for (int k = 0; k < IN; ++k) from[k] = in[k] + S * i;
    for (int k = 0; k < OUT; ++k) to[k] = out[k] + S * i;
    if (!Op::template block<Assumed, Layout>(from, to)) checked_block<Op, Layout>(from, to);
  }
  if (i == count) return;
  T before[IN][S * Op::BLOCK], after[OUT][S * Op::BLOCK];
  for (int k = 0; k < IN; ++k) {
    const auto end = std::copy(in[k] + S * i, in[k] + S * count, before[k]);
    for (T* at = end; at < before[k] + S * Op::BLOCK; ++at) *at = *(at - S);
    from[k] = before[k];
  }
  for (int k = 0; k < OUT; ++k) to[k] = after[k];
  checked_block<Op, Layout>(from, to);
  for (int k = 0; k < OUT; ++k)
    std::copy(after[k], after[k] + S * (count - i), out[k] + S * i);
}

template <typename Op, typename Layout>
static void run(const T* const* in, T* const* out, int64_t count, int threads) {
  constexpr int IN = Op::IN * Layout::PARTS, OUT = Op::OUT * Layout::PARTS, S = Layout::STRIDE;
  const int64_t chunks = (count + CHUNK - 1) / CHUNK;
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
  for (int64_t c = 0; c < chunks; ++c) {
    const T* from[IN];
    T* to[OUT];
    const int64_t size = std::min(CHUNK, count - CHUNK * c);
    for (int k = 0; k < IN; ++k) from[k] = in[k] + S * CHUNK * c;
    for (int k = 0; k < OUT; ++k) to[k] = out[k] + S * CHUNK * c;
    span<Op, Layout>(from, to, size);
  }
}
$functions""")

_FUNCTION = Template("""
struct Op_$name {
  static constexpr int IN = $inputs, OUT = $outputs, BLOCK = $lanes * W;
  // Whether the range holds; if not, nothing is written.
  template <typename Range, typename Layout>
  [[gnu::always_inline]] static inline bool block(const T* const* in, T* const* out) {
    Range range;
$lines
    if (!range.holds) return false;
$stores
    return true;
  }
};
$entries""")


_ENTRY = Template("""\
extern "C" void holonet_$entry(const T* const* in, T* const* out, int64_t count, int threads) {
  run<Op_$name, $layout>(in, out, count, threads);
}
""")


def emit(programs: Mapping[str, Program]) -> str:
    """The source of a library: holonet_NAME(in, out, count, threads) for each program NAME.

    `in` and `out` are arrays of pointers to `count` complex numbers each. For holonet_value_apart
    they point to `count` real parts and, next in the arrays, to as many imaginary ones.

    Args:
        programs: by name, all of one precision.
    """
    double = next(iter(programs.values())).double
    functions = "".join(_function(name, program) for name, program in programs.items())
    vector = resources.files("holonet.ops").joinpath("vector.h").read_text()
    return _LIBRARY.substitute(
        double=int(double),
        scalar="double" if double else "float",
        vector=vector,
        functions=functions,
    )


def _function(name: str, program: Program) -> str:
    nodes = list(in_order([part for output in program.outputs for part in output]))
    lanes = [_lane(program, nodes, lane) for lane in range(2 if len(nodes) <= SHORT else 1)]
    lines = chain.from_iterable(zip(*(lines for lines, _ in lanes), strict=True))
    entries = {name: "Paired"} | ({"value_apart": "Apart"} if name == "value" else {})
    return _FUNCTION.substitute(
        name=name,
        entries="".join(
            _ENTRY.substitute(name=name, entry=entry, layout=layout)
            for entry, layout in entries.items()
        ),
        inputs=len(program.inputs),
        lanes=len(lanes),
        outputs=len(program.outputs),
        lines="\n".join(f"    {line}" for line in lines),
        stores="\n".join(f"    {line}" for _, stores in lanes for line in stores),
    )


def _lane(program: Program, nodes: Sequence[Real], lane: int) -> tuple[list[str], list[str]]:
    """What computes one of the vectors of a block, and what stores it."""
    lines = [
        f"const auto [{z}_re_{lane}, {z}_im_{lane}] = Layout::load(in, {k}, {lane} * W);"
        for k, z in enumerate(program.inputs)
    ]
    names: dict[int, str] = {}
    for k, node in enumerate(nodes):
        names[id(node)] = f"{node.value if node.op == 'input' else f'v{k}'}_{lane}"
        if node.op != "input":
            kind = "M" if node.op in _CONDITIONS else "V"
            lines.append(f"const {kind} {names[id(node)]} = {_expression(node, names)};")
    stores = [
        f"Layout::store(out, {k}, {lane} * W, {names[id(re)]}, {names[id(im)]});"
        for k, (re, im) in enumerate(program.outputs)
    ]
    return lines, stores


def _expression(node: Real, names: Mapping[int, str]) -> str:
    args = [names[id(a)] for a in node.args]
    if node.op == "constant":
        return f"V(T({node.value!r}))"
    if node.op in _BOUNDS and node.args[1].op == "constant":
        return f"{_BOUNDS[node.op]}({args[0]}, T({node.args[1].value!r}))"
    if node.op in _INFIX:
        return f"{args[0]} {_INFIX[node.op]} {args[1]}"
    if node.op in _CALLS:
        return _CALLS[node.op].format(*args)
    return f"{args[0]}.{node.op}()"
