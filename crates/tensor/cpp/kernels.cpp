// Sums of gradients in one call, and the fused Adam step of LibTorch, which tch does not bind.
// No exception may leave an extern "C" function.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cstring>
#include <vector>

using TensorPtr = at::Tensor*;

namespace {

void report(char* message, size_t room, const char* what) {
  std::strncpy(message, what, room - 1);
  message[room - 1] = 0;
}

}  // namespace

// to[i].grad += from[i].grad, pair by pair; the gradients of `from` are freed, or moved where `to` has none.
extern "C" int coarsen_move_gradients(const TensorPtr* to, const TensorPtr* from, int64_t n, char* message, size_t room) {
  try {
    at::AutoGradMode off(false);
    std::vector<at::Tensor> sums, parts;
    for (int64_t i = 0; i < n; i++) {
      at::Tensor &sum = to[i]->mutable_grad(), &part = from[i]->mutable_grad();
      if (sum.defined() && part.defined()) {
        sums.push_back(sum);
        parts.push_back(part);
      } else if (part.defined()) {
        sum = part;
      }
      part = at::Tensor();
    }
    if (!sums.empty()) at::_foreach_add_(sums, parts);
    return 0;
  } catch (const std::exception& e) {
    report(message, room, e.what());
    return 1;
  }
}

// One Adam step over those of `n` parameters that have a gradient; `tensors` holds n parameters, n first and n second moments.
// The gradients are freed.
extern "C" int coarsen_adam(const TensorPtr* tensors, int64_t n, const TensorPtr step, double lr, double beta1, double beta2,
                            double eps, double weight_decay, char* message, size_t room) {
  try {
    at::AutoGradMode off(false);
    std::vector<at::Tensor> params, grads, first, second;
    for (int64_t i = 0; i < n; i++) {
      at::Tensor& grad = tensors[i]->mutable_grad();
      if (!grad.defined()) continue;
      params.push_back(*tensors[i]);
      grads.push_back(std::move(grad));
      grad = at::Tensor();
      first.push_back(*tensors[n + i]);
      second.push_back(*tensors[2 * n + i]);
    }
    step->add_(1);
    const std::vector<at::Tensor> steps(params.size(), *step);
    if (!params.empty())
      at::_fused_adam_(params, grads, first, second, {}, steps, lr, beta1, beta2, weight_decay, eps, false, false);
    return 0;
  } catch (const std::exception& e) {
    report(message, room, e.what());
    return 1;
  }
}
