"""Which version should serve: pins, promotions, eligible and abandoned versions."""
