// SPDX-License-Identifier: Apache-2.0
// addcmul and addcdiv of lists whose factors are the elements of one tensor in the CPU's memory.
#include "ops/foreach/foreach_op.h"

namespace tilewise::ops {
namespace {

struct AddProduct {
  static constexpr const char* kFunction = "arithmetic:add_product";
  static constexpr const char* kLiterals = "";
  static constexpr uint8_t kDtypes = kNumeric;
};

struct AddQuotient {
  static constexpr const char* kFunction = "arithmetic:add_quotient";
  static constexpr const char* kLiterals = "";
  static constexpr uint8_t kDtypes = kFloating;
};

using Numbers = c10::SmallVector<Scalar, 16>;

Numbers read_numbers(const Tensor& scalars) {
  Numbers numbers;
  const bool is_float = at::isFloatingType(scalars.scalar_type());
  const auto count = static_cast<size_t>(scalars.numel());
  for (size_t i = 0; i < count; ++i)
    numbers.push_back(is_float ? Scalar(scalars.scalar_type() == at::kDouble
                                            ? scalars.const_data_ptr<double>()[i]
                                            : scalars.const_data_ptr<float>()[i])
                               : Scalar(scalars.const_data_ptr<int64_t>()[i]));
  return numbers;
}

const char* refuse_numbers(TensorList self, const Tensor& scalars) {
  const at::ScalarType dtype = scalars.scalar_type();
  if (dtype != at::kDouble && dtype != at::kFloat && dtype != at::kLong)
    return "foreach numbers of another dtype";
  if (!scalars.is_cpu() || scalars.dim() != 1 || !scalars.is_contiguous() ||
      static_cast<size_t>(scalars.numel()) != self.size())
    return "foreach numbers are no vector of the lists' length";
  return nullptr;
}

template <class Row>
struct Functional : detail::Foreach<Row, TensorList, TensorList, TensorList, ScalarList> {
  static constexpr bool kCpuVectorsAllowed = true;
  static const char* refuse(TensorList self, TensorList tensor1, TensorList tensor2,
                            const Tensor& scalars) {
    if (const char* reason = refuse_numbers(self, scalars)) return reason;
    const Numbers numbers = read_numbers(scalars);
    return ForeachCall(self, tensor1, tensor2, ScalarList(numbers)).refuse(Row::kDtypes, false);
  }
  static std::vector<Tensor> call(TensorList self, TensorList tensor1, TensorList tensor2,
                                  const Tensor& scalars) {
    const Numbers numbers = read_numbers(scalars);
    const ForeachCall call(self, tensor1, tensor2, ScalarList(numbers));
    std::vector<Tensor> out = call.allocate();
    call.run(Functional::kernel(), out);
    return out;
  }
};

template <class Row>
struct InPlace : Functional<Row> {
  static const char* refuse(TensorList self, TensorList tensor1, TensorList tensor2,
                            const Tensor& scalars) {
    if (const char* reason = refuse_numbers(self, scalars)) return reason;
    const Numbers numbers = read_numbers(scalars);
    return ForeachCall(self, tensor1, tensor2, ScalarList(numbers)).refuse(Row::kDtypes, true);
  }
  static void call(TensorList self, TensorList tensor1, TensorList tensor2, const Tensor& scalars) {
    const Numbers numbers = read_numbers(scalars);
    ForeachCall(self, tensor1, tensor2, ScalarList(numbers)).run(InPlace::kernel(), self);
  }
};

TILEWISE_OPERATOR(Functional<AddProduct>, "_foreach_addcmul.Tensor");
TILEWISE_OPERATOR(InPlace<AddProduct>, "_foreach_addcmul_.Tensor");
TILEWISE_OPERATOR(Functional<AddQuotient>, "_foreach_addcdiv.Tensor");
TILEWISE_OPERATOR(InPlace<AddQuotient>, "_foreach_addcdiv_.Tensor");

}  // namespace
}  // namespace tilewise::ops
