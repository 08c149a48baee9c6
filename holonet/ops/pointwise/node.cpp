// phi(z) with its gradient as one call from Python and one node of torch's graph, without an
// interpreter between the kernels: calls of small tensors cost what torch's own cost.
//
// The call answers None where something else than plain autograd on a plain tensor is watching
// (transforms, forward mode, modes, subclasses); the functions in Python know what to do there.

#include <torch/csrc/Exceptions.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/python_variable.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <ATen/Parallel.h>
#include <ATen/PythonTorchFunctionTLS.h>
#include <type_traits>

namespace {

using c10::DispatchKey;
using c10::DispatchKeySet;
using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

using Kernel = void (*)(const void* const*, void* const*, int64_t, int64_t, int);

constexpr int64_t GRAIN = $grain;  // numbers that are worth a thread, and giving up the lock

struct Function {
  Kernel value[2], pull[2];  // for complex64 and for complex128; null where there is none
  int64_t least[2];          // entries from which: without and with a gradient
  PyObject* pull_again;      // (z, g) -> the gradient as something to be derived again
};

bool is_within(DispatchKeySet found, DispatchKeySet allowed) { return (found | allowed) == allowed; }

// On the CPU, strided, seen by autograd alone; it may be lazily conjugated or negated.
bool is_plain(const at::Tensor& t) {
  static const DispatchKeySet allowed{
      DispatchKey::CPU,         DispatchKey::ADInplaceOrView, DispatchKey::AutogradCPU,
      DispatchKey::AutocastCPU, DispatchKey::Conjugate,       DispatchKey::Negative};
  return is_within(t.key_set(), allowed) && !t._fw_grad(0).defined();
}

bool nothing_watches() {
  static const DispatchKeySet allowed{
      DispatchKey::BackendSelect, DispatchKey::ADInplaceOrView, DispatchKey::AutocastCPU};
  return is_within(c10::impl::tls_local_dispatch_key_set().included_, allowed) &&
      !at::impl::torch_function_mode_enabled();
}

Kernel of_dtype(const Kernel* kernels, const at::Tensor& t) {
  if (t.scalar_type() == at::kComplexFloat) return kernels[0];
  return t.scalar_type() == at::kComplexDouble ? kernels[1] : nullptr;
}

// Without the history of the inputs, which must be plain and of one shape.
at::Tensor run(Kernel kernel, at::ArrayRef<at::Tensor> inputs) {
  const at::NoGradGuard unseen;
  std::vector<at::Tensor> dense;
  const void* in[2];
  for (const at::Tensor& t : inputs) {
    dense.push_back(t.resolve_conj().resolve_neg().contiguous());
    in[dense.size() - 1] = dense.back().const_data_ptr();
  }
  const at::Tensor out = at::detail::empty_cpu(
      dense[0].sizes(), dense[0].scalar_type(), false, std::nullopt);
  void* to[1] = {out.mutable_data_ptr()};
  const int64_t count = out.numel();
  const int threads = std::max<int64_t>(1, std::min<int64_t>(at::get_num_threads(), count / GRAIN));
  kernel(in, to, count, count, threads);
  return out;
}

struct PointwiseBackward : public torch::autograd::Node {
  PointwiseBackward(const Function* function, const at::Tensor& z)
      : function_(function), z_(z, false) {}

  variable_list apply(variable_list&& gradients) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    const at::Tensor& g = gradients[0];
    if (!g.defined()) return {at::Tensor()};
    const at::Tensor z = z_.unpack();
    const bool simple = !at::GradMode::is_enabled() && nothing_watches() && is_plain(z) &&
        is_plain(g) && g.scalar_type() == z.scalar_type() && g.sizes() == z.sizes();
    return {simple ? run(of_dtype(function_->pull, z), {z, g}) : pull_again(z, g)};
  }

  void release_variables() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    z_.reset_data();
  }

  std::string name() const override { return "PointwiseBackward"; }

 private:
  at::Tensor pull_again(const at::Tensor& z, const at::Tensor& g) {
    const PyGILState_STATE state = PyGILState_Ensure();
    PyObject* x = THPVariable_Wrap(z);
    PyObject* h = THPVariable_Wrap(g);
    PyObject* found = PyObject_CallFunctionObjArgs(function_->pull_again, x, h, nullptr);
    Py_DECREF(x);
    Py_DECREF(h);
    if (found == nullptr) {
      python_error error;
      error.persist();
      PyGILState_Release(state);
      throw std::move(error);
    }
    const at::Tensor gradient = THPVariable_Unpack(found);
    Py_DECREF(found);
    PyGILState_Release(state);
    return gradient;
  }

  const Function* function_;
  SavedVariable z_;
};

// Edges hold nodes by std::shared_ptr up to torch 2.12, by an intrusive pointer later.
template <typename Pointer>
Pointer make_node(const Function* function, const at::Tensor& z) {
  if constexpr (std::is_same_v<Pointer, std::shared_ptr<torch::autograd::Node>>)
    return std::make_shared<PointwiseBackward>(function, z);
  else
    return c10::make_intrusive<PointwiseBackward>(function, z);
}

at::Tensor value(const Function* function, Kernel kernel, const at::Tensor& z, bool derived) {
  at::Tensor out = run(kernel, {z});
  if (!derived) return out;
  const auto node = make_node<decltype(torch::autograd::Edge::function)>(function, z);
  node->set_next_edges(torch::autograd::collect_next_edges(z));
  torch::autograd::set_history(out, node);
  return out;
}

// (z) -> phi(z), or None
PyObject* call(PyObject* capsule, PyObject* argument) {
  HANDLE_TH_ERRORS
  if (!THPVariable_CheckExact(argument)) Py_RETURN_NONE;
  const at::Tensor& z = THPVariable_Unpack(argument);
  const auto* function = static_cast<const Function*>(PyCapsule_GetPointer(capsule, nullptr));
  const Kernel kernel = of_dtype(function->value, z);
  if (kernel == nullptr || !is_plain(z) || !nothing_watches()) Py_RETURN_NONE;
  const bool derived = at::GradMode::is_enabled() && z.requires_grad();
  if (z.numel() < function->least[z.requires_grad()]) Py_RETURN_NONE;
  if (z.numel() < GRAIN) return THPVariable_Wrap(value(function, kernel, z, derived));
  at::Tensor out;
  {
    const pybind11::gil_scoped_release unlocked;
    out = value(function, kernel, z, derived);
  }
  return THPVariable_Wrap(out);
  END_HANDLE_TH_ERRORS
}

PyMethodDef METHOD = {"pointwise", call, METH_O, "phi(z), or None where more than autograd watches"};

}  // namespace

// kernels: addresses, of the value and of the pull in complex64 and then in complex128
extern "C" PyObject* holonet_node(
    const int64_t* kernels, int64_t least, int64_t least_derived, PyObject* pull_again) {
  auto* function = new Function;  // for good: graphs may outlive the callable
  for (int k = 0; k < 2; ++k) {
    function->value[k] = reinterpret_cast<Kernel>(kernels[2 * k]);
    function->pull[k] = reinterpret_cast<Kernel>(kernels[2 * k + 1]);
  }
  function->least[0] = least;
  function->least[1] = least_derived;
  Py_INCREF(pull_again);
  function->pull_again = pull_again;
  PyObject* capsule = PyCapsule_New(function, nullptr, nullptr);
  if (capsule == nullptr) return nullptr;
  PyObject* callable = PyCFunction_New(&METHOD, capsule);
  Py_DECREF(capsule);
  return callable;
}
