// A torch::autograd::Node whose backward is a Rust function, and at::parallel_for for Rust closures.
// No exception may leave an extern "C" function, and no panic may leave a Rust callback.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/basic_ops.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

using namespace torch::autograd;
using TensorPtr = at::Tensor*;

// Returns 0 when done; otherwise a message was written to `message`.
using Backward = int (*)(void* state, const TensorPtr* grads, int n_grads, const bool* needs, TensorPtr* out,
                         int n_out, char* message, size_t room);
using Drop = void (*)(void* state);

#ifdef COARSEN_CUDA
// One reference into libtorch_cuda, or a linker with --as-needed drops the library and CUDA does not register.
namespace at::cuda { int warp_size(); }
static int (*volatile keep_cuda)() = at::cuda::warp_size;
#endif

namespace {

void report(char* message, size_t room, const char* what) {
  std::strncpy(message, what, room - 1);
  message[room - 1] = 0;
}

struct RustNode : Node {
  void* state;
  Backward call;
  Drop drop;
  std::string label;

  RustNode(void* state, Backward call, Drop drop, const char* label)
      : state(state), call(call), drop(drop), label(label) {}

  ~RustNode() override {
    if (state) drop(state);
  }

  std::string name() const override { return label; }

  void release_variables() override {
    std::lock_guard<std::mutex> lock(mutex_);
    if (state) drop(state);
    state = nullptr;
  }

  variable_list apply(variable_list&& grads) override {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!state)
      throw std::runtime_error(label + ": the graph was freed by an earlier backward pass; keep it with keep_graph");
    const size_t n = num_outputs();
    std::vector<TensorPtr> in;
    for (auto& g : grads) in.push_back(g.defined() ? &g : nullptr);
    std::vector<TensorPtr> out(n, nullptr);
    std::unique_ptr<bool[]> needs(new bool[n]);
    for (size_t i = 0; i < n; i++) needs[i] = task_should_compute_output(i);

    char message[2048] = {0};
    const bool recording = at::GradMode::is_enabled();
    int failed;
    {
      at::AutoGradMode off(false);
      failed = call(state, in.data(), in.size(), needs.get(), out.data(), n, message, sizeof message);
    }
    variable_list result;
    for (auto t : out) {
      result.emplace_back(t ? *t : at::Tensor());
      delete t;
    }
    // A plain std::exception: the text of a c10::Error carries a C++ backtrace.
    if (failed) throw std::runtime_error(label + ": " + message);
    if (recording) {
      // create_graph: these gradients are right, but differentiating them again must fail loudly.
      edge_list edges = collect_next_edges(grads);
      edges.insert(edges.end(), next_edges().begin(), next_edges().end());
      auto error = std::shared_ptr<Node>(new Error(label + " has no second derivative", std::move(edges)), deleteNode);
      for (auto& t : result) {
        if (!t.defined()) continue;
        t = t.detach();
        set_history(t, error);
      }
    }
    return result;
  }
};

}  // namespace

extern "C" int coarsen_attach(const TensorPtr* inputs, int n_in, const TensorPtr* outputs, int n_out, void* state,
                              Backward call, Drop drop, const char* label, TensorPtr* out, char* message,
                              size_t room) {
#ifdef COARSEN_CUDA
  (void)keep_cuda;
#endif
  std::shared_ptr<RustNode> node;
  try {
    node = std::shared_ptr<RustNode>(new RustNode(state, call, drop, label), deleteNode);
  } catch (const std::exception& e) {
    drop(state);
    report(message, room, e.what());
    return 1;
  }
  try {
    variable_list v;
    for (int i = 0; i < n_in; i++) v.push_back(*inputs[i]);
    const bool record = at::GradMode::is_enabled() &&
                        std::any_of(v.begin(), v.end(), [](const at::Tensor& t) { return t.requires_grad(); });
    if (record) node->set_next_edges(collect_next_edges(v));
    for (int i = 0; i < n_out; i++) {
      at::Tensor t = outputs[i]->detach();
      if (record) set_history(t, node);
      out[i] = new at::Tensor(std::move(t));
    }
    return 0;
  } catch (const std::exception& e) {
    for (int i = 0; i < n_out; i++) {
      delete out[i];
      out[i] = nullptr;
    }
    report(message, room, e.what());
    return 1;
  }
}

extern "C" void coarsen_parallel_for(int64_t end, int64_t grain, void* body,
                                     void (*call)(void*, int64_t, int64_t)) {
  at::parallel_for(0, end, grain, [&](int64_t begin, int64_t stop) { call(body, begin, stop); });
}
