"""The network of a policy and its export."""
