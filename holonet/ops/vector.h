// Vector functions in single precision that are faster than the library's, within 2 ulp of the truth;
// in double precision the library's own. Included in front of generated code.

#if DOUBLE

static inline std::pair<V, V> sincos(const V& x) { return {x.sin(), x.cos()}; }
static inline V exp_(const V& x) { return x.exp(); }
static inline V expm1_(const V& x) { return x.expm1(); }
static inline V atan2_(const V& y, const V& x) { return y.atan2(x); }
static inline V log_(const V& x) { return x.log(); }
static inline V log1p_(const V& x) { return x.log1p(); }

#else

static inline bool any(const V& mask) { return mask.zero_mask() != (1 << W) - 1; }

// 2^n for a whole n in the range of normal exponents; one below it gives 0.
static inline V pow2(const V& n) {
  const auto bits = at::vec::convert_to_int_of_same_size(n + V(127.0f));
  return at::vec::cast<float>(bits << decltype(bits)(23));
}

// x - q pi/2 in three steps of which the first is exact, then Taylor-like polynomials on
// [-pi/4, pi/4]. The parity of q says which is the sine, q mod 4 the signs.
static inline std::pair<V, V> sincos(const V& x) {
  if (any(x.abs() > V(8192.0f))) return {x.sin(), x.cos()};
  const V q = (x * V(0.636619772f)).round();
  V r = at::vec::fmadd(q, V(-1.57079637f), x);
  r = at::vec::fmadd(q, V(4.37113883e-8f), r);
  r = at::vec::fmadd(q, V(1.71512451e-15f), r);
  const V s = r * r;
  V sine = at::vec::fmadd(V(-1.9515295891e-4f), s, V(8.3321608736e-3f));
  sine = at::vec::fmadd(sine, s, V(-1.6666654611e-1f));
  sine = at::vec::fmadd(sine * s, r, r);
  V cosine = at::vec::fmadd(V(2.443315711809948e-5f), s, V(-1.388731625493765e-3f));
  cosine = at::vec::fmadd(cosine, s, V(4.166664568298827e-2f));
  cosine = at::vec::fmadd(cosine * s, s, at::vec::fmadd(V(-0.5f), s, V(1.0f)));
  const V half = (q * V(0.5f)).floor(), quarter = (half * V(0.5f)).floor();
  const V odd = (q * V(0.5f)) != half, down = (half * V(0.5f)) != quarter;
  const V minus(-0.0f);
  return {V::blendv(sine, cosine, odd) ^ (down & minus),
          V::blendv(cosine, sine, odd) ^ ((odd ^ down) & minus)};
}

// x = n log 2 + r: exp(r) - 1 by a polynomial, and 2^n / 2, which is finite where exp(x) is.
static inline std::pair<V, V> split_exp(const V& x) {
  const V n = (x * V(1.44269504f)).round();
  V r = at::vec::fmadd(n, V(-0.693359375f), x);
  r = at::vec::fmadd(n, V(2.12194440e-4f), r);
  V p = at::vec::fmadd(V(1.9875691500e-4f), r, V(1.3981999507e-3f));
  p = at::vec::fmadd(p, r, V(8.3334519073e-3f));
  p = at::vec::fmadd(p, r, V(4.1665795894e-2f));
  p = at::vec::fmadd(p, r, V(1.6666665459e-1f));
  p = at::vec::fmadd(p, r, V(5.0000001201e-1f));
  return {at::vec::fmadd(p * r, r, r), pow2(n - V(1.0f))};
}
static inline V clamped(const V& x) {
  return at::vec::minimum(at::vec::maximum(x, V(T(-87.3))), V(T(89.0)));
}
static inline V exp_(const V& x) {
  const auto [p, half] = split_exp(clamped(x));
  const V e = at::vec::fmadd(half, p, half);
  return e + e;
}
static inline V expm1_(const V& x) {
  const auto [p, half] = split_exp(clamped(x));
  const V e = at::vec::fmadd(half, p, half - V(0.5f));
  return e + e;
}

// x = 2^n m with m next to 1: n log 2 in two parts and a polynomial in m - 1. Not for subnormals.
static inline V log_normal(const V& x) {
  using I = at::vec::Vectorized<int32_t>;
  const I bits = at::vec::cast<int32_t>(x);
  const I exponent = (bits - I(0x3f3504f3)) >> I(23);
  const V n = at::vec::convert_to_fp_of_same_size<float>(exponent);
  const V r = at::vec::cast<float>(bits - (exponent << I(23))) - V(1.0f);
  V p = at::vec::fmadd(V(7.0376836292e-2f), r, V(-1.1514610310e-1f));
  p = at::vec::fmadd(p, r, V(1.1676998740e-1f));
  p = at::vec::fmadd(p, r, V(-1.2420140846e-1f));
  p = at::vec::fmadd(p, r, V(1.4249322787e-1f));
  p = at::vec::fmadd(p, r, V(-1.6668057665e-1f));
  p = at::vec::fmadd(p, r, V(2.0000714765e-1f));
  p = at::vec::fmadd(p, r, V(-2.4999993993e-1f));
  p = at::vec::fmadd(p, r, V(3.3333331174e-1f));
  const V s = r * r;
  V low = at::vec::fmadd(n, V(-2.12194440e-4f), p * r * s);
  low = at::vec::fmadd(V(-0.5f), s, low);
  return at::vec::fmadd(n, V(0.693359375f), r + low);
}
static inline bool all_normal(const V& x) {
  const V mask = (x >= V(1.17549435e-38f)) & (x <= V(3.40282347e38f));
  return mask.zero_mask() == 0;
}
static inline V log_(const V& x) { return all_normal(x) ? log_normal(x) : x.log(); }

// log(u) for u = 1 + x as it was rounded, and what the rounding took, over u.
static inline V log1p_(const V& x) {
  const V u = x + V(1.0f);
  if (!all_normal(u)) return x.log1p();
  return log_normal(u) + (x - (u - V(1.0f))) / u;
}

// The smaller over the larger part, an odd polynomial on [0, 1], and the octant.
static inline V atan2_(const V& y, const V& x) {
  const V a = y.abs(), b = x.abs();
  const V steep = a > b;
  const V large = at::vec::maximum(at::vec::maximum(a, b), V(1.17549435e-38f));
  const V t = at::vec::minimum(a, b) / large;
  const V s = t * t;
  V p = at::vec::fmadd(V(0.00282363896258175373f), s, V(-0.0159569028764963150f));
  p = at::vec::fmadd(p, s, V(0.0425049886107444763f));
  p = at::vec::fmadd(p, s, V(-0.0748900920152664185f));
  p = at::vec::fmadd(p, s, V(0.106347933411598206f));
  p = at::vec::fmadd(p, s, V(-0.142027363181114197f));
  p = at::vec::fmadd(p, s, V(0.199926957488059998f));
  p = at::vec::fmadd(p, s, V(-0.333331018686294556f));
  V r = at::vec::fmadd(p * s, t, t);
  r = V::blendv(r, V(1.57079637f) - r, steep);
  r = V::blendv(r, V(3.14159274f) - r, V(1.0f).copysign(x) < V(0.0f));
  return r.copysign(y);
}

#endif
