"""Answer `y = 2 x` after as many seconds as the rows' values say together."""

import time

import triton_python_backend_utils as pb


class TritonPythonModel:
    """A model whose compute costs no processor, so that few cores can show many workers."""

    def execute(self, requests):
        """Answer each request by itself."""
        return [self.answer(request) for request in requests]

    def answer(self, request):
        """Sleep, then answer."""
        x = pb.get_input_tensor_by_name(request, "x").as_numpy()
        time.sleep(float(x.sum()))
        return pb.InferenceResponse([pb.Tensor("y", 2 * x)])
