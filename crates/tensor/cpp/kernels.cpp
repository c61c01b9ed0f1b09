// Many small matrix products in one call, and the fused Adam step of LibTorch, which tch does not bind.
// No exception may leave an extern "C" function.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <cstring>
#include <vector>

using TensorPtr = at::Tensor*;

// The BLAS inside LibTorch. Weak: a LibTorch that does not export it still links, and its own product is called instead.
extern "C" {
__attribute__((weak)) void sgemm_(const char* ta, const char* tb, const int* m, const int* n, const int* k,
                                  const float* alpha, const float* a, const int* lda, const float* b, const int* ldb,
                                  const float* beta, float* c, const int* ldc);
// MKL's Fortran entry, hence the pointer.
__attribute__((weak)) int mkl_set_num_threads_local(const int* threads);
__attribute__((weak)) void dgemm_(const char* ta, const char* tb, const int* m, const int* n, const int* k,
                                  const double* alpha, const double* a, const int* lda, const double* b,
                                  const int* ldb, const double* beta, double* c, const int* ldc);
}

// C [m, n] = op(A) op(B) + beta C, all row-major; `lda` is the distance between stored rows of A, transposed or not.
struct Product {
  int m, n, k, lda, ldb, ldc;
  double beta;
  const void *a, *b;
  void* c;
};

namespace {

void blas(char ta, char tb, int m, int n, int k, const float* a, int lda, const float* b, int ldb, float beta, float* c,
          int ldc) {
  const float one = 1;
  sgemm_(&ta, &tb, &m, &n, &k, &one, a, &lda, b, &ldb, &beta, c, &ldc);
}

void blas(char ta, char tb, int m, int n, int k, const double* a, int lda, const double* b, int ldb, double beta,
          double* c, int ldc) {
  const double one = 1;
  dgemm_(&ta, &tb, &m, &n, &k, &one, a, &lda, b, &ldb, &beta, c, &ldc);
}

template <typename T>
void product(const Product& p, bool ta, bool tb, bool has_blas) {
  const T *a = static_cast<const T*>(p.a), *b = static_cast<const T*>(p.b);
  T* c = static_cast<T*>(p.c);
  if (has_blas) {
    // Row-major C = op(A) op(B) is column-major C' = op(B)' op(A)'.
    blas(tb ? 'T' : 'N', ta ? 'T' : 'N', p.n, p.m, p.k, b, p.ldb, a, p.lda, T(p.beta), c, p.ldc);
    return;
  }
  auto options = at::TensorOptions().dtype(c10::CppTypeToScalarType<T>::value);
  auto view = [&](const T* x, int rows, int cols, int ld, bool transposed) {
    at::Tensor t = transposed ? at::from_blob(const_cast<T*>(x), {cols, rows}, {ld, 1}, options).t()
                              : at::from_blob(const_cast<T*>(x), {rows, cols}, {ld, 1}, options);
    return t;
  };
  at::Tensor out = view(c, p.m, p.n, p.ldc, false);
  at::addmm_out(out, out, view(a, p.m, p.k, p.lda, ta), view(b, p.k, p.n, p.ldb, tb), p.beta, 1);
}

template <typename T>
void products(const Product* list, int64_t count, bool ta, bool tb, bool has_blas) {
  double work = 0;
  for (int64_t i = 0; i < count; i++) work += double(list[i].m) * list[i].n * list[i].k;
  // Below some microseconds of arithmetic the threads are not worth waking.
  const int64_t grain = work < 2e5 ? count : 1;
  at::parallel_for(0, count, grain, [&](int64_t begin, int64_t end) {
    at::AutoGradMode off(false);
    // One thread a product, also where the pool has nobody else to wake: the bits must not depend on it.
    const int one = 1, threads = mkl_set_num_threads_local ? mkl_set_num_threads_local(&one) : 0;
    for (int64_t i = begin; i < end; i++) {
      const Product& p = list[i];
      if (p.k == 0 && p.beta != 0) continue;
      if (p.m > 0 && p.n > 0 && p.k > 0)
        product<T>(p, ta, tb, has_blas);
      else
        for (int row = 0; row < p.m; row++) std::memset(static_cast<T*>(p.c) + int64_t(row) * p.ldc, 0, p.n * sizeof(T));
    }
    if (mkl_set_num_threads_local) mkl_set_num_threads_local(&threads);
  });
}

void report(char* message, size_t room, const char* what) {
  std::strncpy(message, what, room - 1);
  message[room - 1] = 0;
}

}  // namespace

extern "C" int coarsen_products(const Product* list, int64_t count, bool ta, bool tb, bool is_double, char* message,
                                size_t room) {
  try {
    if (is_double)
      products<double>(list, count, ta, tb, dgemm_ != nullptr);
    else
      products<float>(list, count, ta, tb, sgemm_ != nullptr);
    return 0;
  } catch (const std::exception& e) {
    report(message, room, e.what());
    return 1;
  }
}

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
