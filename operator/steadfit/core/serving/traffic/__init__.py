"""Routing of requests to pods: Services, the traffic label, HTTPRoutes, and draining."""
