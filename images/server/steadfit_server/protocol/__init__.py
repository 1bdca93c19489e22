"""Open Inference Protocol V2: requests, tensors, errors."""
