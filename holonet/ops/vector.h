// What generated code calls, in front of which this is included: conditions, signs, bounds, and
// elementary functions. In single precision these are faster than the library's and within 2 ulp of
// the truth; in double precision, and where torch has no vector units and so multiplies and adds in
// two steps, they are the library's own.

#if defined(CPU_CAPABILITY_AVX2) || defined(CPU_CAPABILITY_AVX512) || \
    defined(CPU_CAPABILITY_NEON) || defined(CPU_CAPABILITY_SVE) || \
    defined(CPU_CAPABILITY_VSX) || defined(CPU_CAPABILITY_ZVECTOR)
#define LIBRARY DOUBLE
#else
#define LIBRARY 1
#endif

// A condition for each number. AVX-512 has registers of bits for them, but torch's classes spread
// the bits over vectors after every comparison and gather them before every choice.
#if defined(CPU_CAPABILITY_AVX512)

#if DOUBLE
using M = __mmask8;
static inline M lt(const V& a, const V& b) { return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ); }
static inline M le(const V& a, const V& b) { return _mm512_cmp_pd_mask(a, b, _CMP_LE_OQ); }
static inline V select(M mask, const V& yes, const V& no) {
  return _mm512_mask_blend_pd(mask, no, yes);
}
#else
using M = __mmask16;
static inline M lt(const V& a, const V& b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
static inline M le(const V& a, const V& b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
static inline V select(M mask, const V& yes, const V& no) {
  return _mm512_mask_blend_ps(mask, no, yes);
}
#endif
static inline bool all(M mask) { return mask == static_cast<M>(-1); }

#else

using M = V;
static inline M lt(const V& a, const V& b) { return a < b; }
static inline M le(const V& a, const V& b) { return a <= b; }
static inline V select(const M& mask, const V& yes, const V& no) {
  return V::blendv(no, yes, mask);
}
static inline bool all(const M& mask) { return mask.zero_mask() == 0; }

#endif

static inline V copysign_(const V& x, const V& sign) { return x.abs() | (sign & V(T(-0.0))); }
// A bound that is a number, so NaN can only be in x.
static inline V at_least(const V& x, T bound) { return at::vec::clamp_min(x, V(bound)); }
static inline V at_most(const V& x, T bound) { return at::vec::clamp_max(x, V(bound)); }

// Some functions hold on a range alone. A block is computed as if its numbers were in range; where
// it turns out that one was not, it is computed again with the library's value in its place. So the
// usual way has no branches, and no number depends on its neighbours.
struct Assumed {
  bool holds = true;
  template <typename Library>
  V operator()(const M& in_range, const V& value, const Library&) {
    holds &= all(in_range);
    return value;
  }
};
struct Checked {
  static constexpr bool holds = true;
  template <typename Library>
  V operator()(const M& in_range, const V& value, const Library& library) {
    return all(in_range) ? value : select(in_range, value, library());
  }
};

#if LIBRARY

template <typename Range>
static inline std::pair<V, V> sincos(const V& x, Range&) { return {x.sin(), x.cos()}; }
static inline V exp_(const V& x) { return x.exp(); }
static inline V expm1_(const V& x) { return x.expm1(); }
static inline V atan2_(const V& y, const V& x) { return y.atan2(x); }
template <typename Range>
static inline V log_(const V& x, Range&) { return x.log(); }
template <typename Range>
static inline V log1p_(const V& x, Range&) { return x.log1p(); }

#else

using I = at::vec::Vectorized<int32_t>;
static inline I bits(const V& x) { return at::vec::cast<int32_t>(x); }
static inline V number(const I& x) { return at::vec::cast<float>(x); }
static inline V fma_(const V& a, const V& b, const V& c) { return at::vec::fmadd(a, b, c); }

#if defined(CPU_CAPABILITY_AVX512)
static inline M is_odd(const I& n) { return _mm512_test_epi32_mask(n, _mm512_set1_epi32(1)); }
static inline M has_sign(const V& x) { return _mm512_movepi32_mask(bits(x)); }
#else
static inline M is_odd(const I& n) { return number((n << I(31)) >> I(31)); }
static inline M has_sign(const V& x) { return number(bits(x) >> I(31)); }
#endif

// A float next to it is a whole number: x + WHOLE is x rounded, as the low bits say too.
constexpr float WHOLE = 12582912.0f;

// x - q pi/2 in three steps of which the first is exact and none changes -0.0, then Taylor-like
// polynomials on [-pi/4, pi/4]. The parity of q says which is the sine, q mod 4 the signs.
template <typename Range>
static inline std::pair<V, V> sincos(const V& x, Range& range) {
  const V shifted = fma_(x, V(0.636619772f), V(WHOLE));
  const V q = shifted - V(WHOLE);
  const I n = bits(shifted);
  V r = fma_(q, V(-1.57079625f), x);
  r = fma_(q, V(-7.54978942e-08f), r);
  r = fma_(q, V(-5.39030295e-15f), r);
  const V s = r * r;
  V sine = fma_(V(-1.9515295891e-4f), s, V(8.3321608736e-3f));
  sine = fma_(sine, s, V(-1.6666654611e-1f));
  sine = fma_(sine * s, r, r) | (r & V(-0.0f));
  V cosine = fma_(V(2.443315711809948e-5f), s, V(-1.388731625493765e-3f));
  cosine = fma_(cosine, s, V(4.166664568298827e-2f));
  cosine = fma_(cosine * s, s, fma_(V(-0.5f), s, V(1.0f)));
  const M odd = is_odd(n);
  const V minus(-0.0f);
  const V first = select(odd, cosine, sine) ^ (number(n << I(30)) & minus);
  const V second = select(odd, sine, cosine) ^ (number((n + I(1)) << I(30)) & minus);
  const M near = le(x.abs(), V(8192.0f));
  return {range(near, first, [&] { return x.sin(); }),
          range(near, second, [&] { return x.cos(); })};
}

// x = n log 2 + r: exp(r) - 1 by a polynomial, and 2^n / 2, which is finite where exp(x) is and 0
// where exp(x) is not normal.
static inline std::pair<V, V> split_exp(const V& x) {
  const V bounded = at_most(at_least(x, -87.3f), 89.0f);
  const V shifted = fma_(bounded, V(1.44269504f), V(WHOLE + 126.0f));
  const V n = shifted - V(WHOLE + 126.0f);
  V r = fma_(n, V(-0.693359375f), bounded);
  r = fma_(n, V(2.12194440e-4f), r);
  const V s = r * r;
  V p = fma_(V(1.9875691500e-4f), r, V(1.3981999507e-3f));
  p = fma_(p, s, fma_(V(8.3334519073e-3f), r, V(4.1665795894e-2f)));
  p = fma_(p, s, fma_(V(1.6666665459e-1f), r, V(5.0000001201e-1f)));
  return {fma_(p, s, r), number(bits(shifted) << I(23))};
}
static inline V exp_(const V& x) {
  const auto [p, half] = split_exp(x);
  const V e = fma_(half, p, half);
  return e + e;
}
static inline V expm1_(const V& x) {
  const auto [p, half] = split_exp(x);
  const V e = fma_(half, p, half - V(0.5f));
  return e + e;
}

static inline M is_normal(const V& x) {
  return le(V(1.17549435e-38f), x) & le(x, V(3.40282347e38f));
}

// A normal x > 0 is 2^n m with m next to 1. This is n where the number has it, 2^23 times n.
static inline I exponent(const V& x) { return (bits(x) - I(0x3f3504f3)) & I(0xff800000); }

// log(2^n (1 + r)): n log 2 in two parts and a polynomial in r.
static inline V log_of(const I& exponent, const V& r) {
  const V n = at::vec::convert_to_fp_of_same_size<float>(exponent);  // times 2^23
  const V s = r * r, s2 = s * s;
  V p = fma_(V(-1.2420140846e-1f), r, V(1.4249322787e-1f));
  V q = fma_(V(-2.4999993993e-1f), r, V(3.3333331174e-1f));
  p = fma_(fma_(V(-1.1514610310e-1f), r, V(1.1676998740e-1f)), s, p);
  q = fma_(fma_(V(-1.6668057665e-1f), r, V(2.0000714765e-1f)), s, q);
  p = fma_(V(7.0376836292e-2f), s2, p);
  p = fma_(p, s2, q);
  const V low = fma_(V(-0.5f), s, fma_(n, V(-2.12194440e-4f / 8388608.0f), p * (r * s)));
  return fma_(n, V(0.693359375f / 8388608.0f), r + low);
}
template <typename Range>
static inline V log_(const V& x, Range& range) {
  const I n = exponent(x);
  const V value = log_of(n, number(bits(x) - n) - V(1.0f));
  return range(is_normal(x), value, [&] { return x.log(); });
}

// 1 + x as it was rounded, and what the rounding took in units of 2^n.
template <typename Range>
static inline V log1p_(const V& x, Range& range) {
  const V u = x + V(1.0f);
  const I n = exponent(u);
  const V taken = (x - (u - V(1.0f))) * number(I(0x3f800000) - n);
  const V value = log_of(n, number(bits(u) - n) - V(1.0f) + taken);
  return range(is_normal(u), value, [&] { return x.log1p(); });
}

// The smaller over the larger part, which may be subnormal, an odd polynomial on [0, 1], and the
// octant. NaN in either part is in the ratio.
static inline V atan2_(const V& y, const V& x) {
  const V a = y.abs(), b = x.abs();
  const M steep = lt(b, a);
  const V t = select(steep, b, a) / at_least(select(steep, a, b), 1.40129846e-45f);
  const V s = t * t;
  const V s2 = s * s, s4 = s2 * s2;
  V p = fma_(V(0.00282363896258175373f), s, V(-0.0159569028764963150f));
  p = fma_(p, s2, fma_(V(0.0425049886107444763f), s, V(-0.0748900920152664185f)));
  V q = fma_(V(0.106347933411598206f), s, V(-0.142027363181114197f));
  q = fma_(q, s2, fma_(V(0.199926957488059998f), s, V(-0.333331018686294556f)));
  p = fma_(p, s4, q);
  V r = fma_(p * s, t, t);
  r = select(steep, V(1.57079637f) - r, r);
  r = select(has_sign(x), V(3.14159274f) - r, r);
  return copysign_(r, y);
}

#endif
