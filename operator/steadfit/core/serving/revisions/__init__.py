"""One revision: its name, pod template and Deployment, and how a stored one is found."""
