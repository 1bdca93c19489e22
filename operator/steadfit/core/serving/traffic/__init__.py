"""How requests reach pods: Services, labels, routes, draining."""
