"""Operations with nothing to continue: constant on pieces, random, or not of real tensors."""

from holonet.continuation.operation import Family
from holonet.continuation.order import COMPARES
from holonet.continuation.pieces import HAS_CORNERS, SMOOTH

__all__ = ["REFUSED"]

REFUSED = Family("Without a continuation", holomorphic=False)

_STEPS = "is constant on pieces"
REFUSED.enter(
    "sign sgn signbit round floor ceil trunc fix frac floor_divide rfloordiv floordiv remainder "
    "rmod mod fmod heaviside bucketize histc unique bincount searchsorted",
    _STEPS,
    f"{SMOOTH}, and so is 1 / (1 + exp(-k x))",
)
REFUSED.enter(
    "eq ne isclose allclose equal logical_not logical_and logical_or logical_xor nonzero "
    "count_nonzero any all isin",
    "compares values that depend on the input",
    "Decide by what does not depend on it",
)
REFUSED.enter(
    "item tolist contains numpy array is_nonzero deepcopy reduce_ex",
    "gives a Python value, which keeps no imaginary part; control flow on it is no function of "
    "complex numbers",
    "Compute with tensors, and branch on shapes only",
)
REFUSED.enter(
    "long int short char byte bool half bfloat16 quantize_per_tensor quantize_per_channel "
    "fake_quantize_per_tensor_affine fake_quantize_per_channel_affine",
    "rounds",
    "Extend the model in single or double precision",
)
REFUSED.enter("median nanmedian mode quantile kthvalue aminmax cummax cummin", "compares", COMPARES)
REFUSED.enter(
    "rand_like randn_like randint_like bernoulli normal uniform multinomial poisson exponential "
    "gumbel_softmax",
    "draws at every call, so the model is not one function",
    "Call model.eval(), or draw in front of the model",
)
REFUSED.enter(
    "fft_fft fft_ifft fft_rfft fft_irfft fft_fft2 fft_ifft2 fft_rfft2 fft_irfft2 fft_fftn "
    "fft_ifftn fft_rfftn fft_irfftn stft istft view_as_complex complex polar imag angle "
    "view_as_real",
    "makes complex numbers of real ones, whose two parts would be continued apart",
    "Multiply by a real matrix of cosines and sines",
)
REFUSED.enter(
    "l1_loss smooth_l1_loss huber_loss hinge_embedding_loss margin_ranking_loss",
    "takes moduli",
    "mse_loss is analytic",
)
REFUSED.enter("rnn_relu rnn_relu_cell", HAS_CORNERS, "nonlinearity='tanh' is analytic")
REFUSED.enter(
    "backward grad requires_grad requires_grad= register_hook retain_grad data= grad=",
    "asks for gradients inside of the model",
    "Differentiate the continuation from outside",
)
