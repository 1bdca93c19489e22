"""What holds a run back: cooldown, budget, circuit breaker and the like."""
