"""C++ for the CPU: planar expressions over contiguous complex arrays, vectorized and threaded.

The code uses torch's own vector classes, which exist for every instruction set that torch is built
for. A library holds several functions, since most of a compilation goes into the headers.
"""

from collections.abc import Mapping
from importlib import resources
from string import Template
from types import MappingProxyType

from holonet.ops.planar import Program, Real, in_order

__all__ = ["emit"]


_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "lt": "<", "le": "<="}
_CALLS: Mapping[str, str] = MappingProxyType(
    {
        "and": "({0} & {1})",
        "atan2": "atan2_({0}, {1})",
        "copysign": "{0}.copysign({1})",
        "cos": "sincos({0}).second",
        "exp": "exp_({0})",
        "expm1": "expm1_({0})",
        "log": "log_({0})",
        "log1p": "log1p_({0})",
        "maximum": "at::vec::maximum({0}, {1})",
        "minimum": "at::vec::minimum({0}, {1})",
        "or": "({0} | {1})",
        "sin": "sincos({0}).first",
        "where": "V::blendv({2}, {1}, {0})",
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

// Op::block computes W numbers; what is left at the end goes through a buffer of W.
template <typename Op>
static inline void span(const T* const* in, T* const* out, int64_t count) {
  const T* from[Op::IN];
  T* to[Op::OUT];
  int64_t i = 0;
  for (; i + W <= count; i += W) {
    for (int k = 0; k < Op::IN; ++k) from[k] = in[k] + 2 * i;
    for (int k = 0; k < Op::OUT; ++k) to[k] = out[k] + 2 * i;
    Op::block(from, to);
  }
  if (i == count) return;
  T before[Op::IN][2 * W] = {}, after[Op::OUT][2 * W];
  for (int k = 0; k < Op::IN; ++k) {
    std::copy(in[k] + 2 * i, in[k] + 2 * count, before[k]);
    from[k] = before[k];
  }
  for (int k = 0; k < Op::OUT; ++k) to[k] = after[k];
  Op::block(from, to);
  for (int k = 0; k < Op::OUT; ++k)
    std::copy(after[k], after[k] + 2 * (count - i), out[k] + 2 * i);
}

// `count` entries of an input of `period` entries that starts anew at its end.
static inline void repeat(const T* in, T* to, int64_t first, int64_t count, int64_t period) {
  for (int64_t done = 0, at = first % period; done < count; at = 0) {
    const int64_t n = std::min(period - at, count - done);
    std::copy(in + 2 * at, in + 2 * (at + n), to + 2 * done);
    done += n;
  }
}

template <typename Op>
static void run(const T* const* in, T* const* out, int64_t count, int64_t period, int threads) {
  const int64_t chunks = (count + CHUNK - 1) / CHUNK;
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
  for (int64_t c = 0; c < chunks; ++c) {
    const T* from[Op::IN];
    T* to[Op::OUT];
    const int64_t size = std::min(CHUNK, count - CHUNK * c);
    T repeated[Op::REPEATING + 1][Op::REPEATING ? 2 * CHUNK : 1];
    for (int k = 0; k < Op::IN; ++k) {
      from[k] = in[k] + 2 * CHUNK * c;
      const int r = k - (Op::IN - Op::REPEATING);
      if (r < 0) continue;
      repeat(in[k], repeated[r], CHUNK * c, size, period);
      from[k] = repeated[r];
    }
    for (int k = 0; k < Op::OUT; ++k) to[k] = out[k] + 2 * CHUNK * c;
    span<Op>(from, to, size);
  }
}
$functions""")

_FUNCTION = Template("""
struct Op_$name {
  static constexpr int IN = $inputs, REPEATING = $repeating, OUT = $outputs;
  static inline void block(const T* const* in, T* const* out) {
$lines
  }
};
extern "C" void holonet_$name(
    const T* const* in, T* const* out, int64_t count, int64_t period, int threads) {
  run<Op_$name>(in, out, count, period, threads);
}
""")


def emit(programs: Mapping[str, Program]) -> str:
    """The source of a library: holonet_NAME(in, out, count, period, threads) for each program NAME.

    `in` and `out` are arrays of pointers to `count` complex numbers each, `period` where an input
    repeats.

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
    lines = [
        f"const auto [{z}_re, {z}_im] = at::vec::deinterleave2"
        f"(V::loadu(in[{k}]), V::loadu(in[{k}] + W));"
        for k, z in enumerate(program.inputs)
    ]
    parts = [part for output in program.outputs for part in output]
    names: dict[int, str] = {}
    for k, node in enumerate(in_order(parts)):
        names[id(node)] = str(node.value) if node.op == "input" else f"v{k}"
        if node.op != "input":
            lines.append(f"const V v{k} = {_expression(node, names)};")
    for k, (re, im) in enumerate(program.outputs):
        pair = f"{names[id(re)]}, {names[id(im)]}"
        lines.append(f"const auto [low{k}, high{k}] = at::vec::interleave2<T>({pair});")
        lines.append(f"low{k}.store(out[{k}]);")
        lines.append(f"high{k}.store(out[{k}] + W);")
    return _FUNCTION.substitute(
        name=name,
        inputs=len(program.inputs),
        repeating=program.repeating,
        outputs=len(program.outputs),
        lines="\n".join(f"    {line}" for line in lines),
    )


def _expression(node: Real, names: Mapping[int, str]) -> str:
    args = [names[id(a)] for a in node.args]
    if node.op == "constant":
        return f"V(T({node.value!r}))"
    if node.op in _INFIX:
        return f"{args[0]} {_INFIX[node.op]} {args[1]}"
    if node.op in _CALLS:
        return _CALLS[node.op].format(*args)
    return f"{args[0]}.{node.op}()"
