"""Evidence of a comparison second by second, from the tallies of both arms: a test that never tires."""
