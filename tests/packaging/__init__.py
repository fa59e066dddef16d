"""What is shipped: the wheel, the locks, the set-up and the deployment files."""
