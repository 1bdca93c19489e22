"""Reports the result of a step to the operator and to Kubernetes."""
