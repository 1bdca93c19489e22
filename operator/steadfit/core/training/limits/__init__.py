"""What delays a run: cooldown, budget, circuit breaker and the like."""
